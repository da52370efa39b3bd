import assert from "node:assert/strict";
import fc from "fast-check";
import { format, parse, reply } from "../../src/smtp/reply.ts";
import * as replies from "../../src/smtp/replies.ts";

Deno.test("a reply of several lines repeats its codes", () => {
  assert.equal(format(reply(250, "2.0.0", "one", "two")), "250-2.0.0 one\r\n250 2.0.0 two\r\n");
  assert.equal(format(reply(220, undefined, "hello")), "220 hello\r\n");
});

Deno.test("a reply is well formed whatever its text, and reads back", () => {
  const texts = fc.array(fc.string({ unit: "binary", maxLength: 700 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.constantFrom(250, 354, 421, 550), texts, (code, lines) => {
      const enhanced = code === 354 ? undefined : `${String(code)[0]}.10.123`;
      const wire = format(reply(code, enhanced, ...lines));
      for (const line of wire.slice(0, -2).split("\r\n")) {
        // deno-lint-ignore no-control-regex -- control characters are what must not pass
        assert.doesNotMatch(line, /[\x00-\x1f\x7f]/);
        assert.ok(new TextEncoder().encode(line + "\r\n").length <= 512);
      }
      const read = parse(wire);
      assert.deepEqual([read?.code, read?.lines.length], [code, lines.length]);
      if (enhanced !== undefined) assert.equal(read?.enhanced, enhanced);
    }),
  );
});

Deno.test("what is no reply is not read as one", () => {
  for (
    const wire of [
      "",
      "250 OK",
      "250OK\r\n",
      "150 OK\r\n",
      "250-one\r\n251 two\r\n",
      "250 one\r\n250 two\r\n",
      "250-one\r\n",
      "2500 OK\r\n",
      "OK\r\n",
      "250 OK\n",
    ]
  ) assert.equal(parse(wire), undefined, JSON.stringify(wire));
  assert.deepEqual(parse("250\r\n"), { code: 250, enhanced: undefined, lines: [""] });
});

Deno.test("an enhanced code counts only with the class of the code", () => {
  assert.equal(parse("550 5.1.1 No\r\n")?.enhanced, "5.1.1");
  assert.deepEqual(parse("550 2.1.1 No\r\n"), {
    code: 550,
    enhanced: undefined,
    lines: ["2.1.1 No"],
  });
});

Deno.test("every named reply has the enhanced code of its class, but greetings and 354", () => {
  for (const [name, value] of Object.entries(replies)) {
    const each = typeof value === "function"
      ? (value as (...given: unknown[]) => ReturnType<typeof reply>)("x", "y", [])
      : value;
    if (["greeting", "greets", "offers", "startContent", "challenge"].includes(name)) {
      assert.equal(each.enhanced, undefined, name);
    } else assert.equal(each.enhanced?.[0], String(each.code)[0], name);
  }
});
