/** The head of a request: what is taken of it, and what is refused. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Head, headEnd, parseHead, type Refused } from "../../src/http/request.ts";

/** An octet for each character. */
const octets = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const parse = (text: string) => parseHead(octets(text));

function headOf(text: string): Head {
  const head = parse(text);
  if ("status" in head) throw new Error(`${head.status} ${head.why}: ${JSON.stringify(text)}`);
  return head;
}

const refusedIn = (head: Head | Refused) => "status" in head ? head.status : `taken ${head.target}`;
const refusal = (text: string) => refusedIn(parse(text));

const request = (line: string, ...fields: string[]) =>
  [line, ...fields].map((line) => line + "\r\n").join("") + "\r\n";
const get = (target: string) => request(`GET ${target} HTTP/1.1`, "Host: x");
const withFields = (...fields: string[]) => request("GET / HTTP/1.1", ...fields);

Deno.test("a well-formed head is taken as it is", () => {
  const head = headOf(request(
    "PUT /api/audit?a=b%20c HTTP/1.1",
    "Host: localhost:8080",
    "content-length:  17\t ",
    "X-Empty:",
    "X-Text: \xe9 a\tb: c",
    "X-Text: d",
  ));
  const { headers, ...rest } = head;
  assert.deepEqual(rest, {
    method: "PUT",
    target: "/api/audit?a=b%20c",
    host: "localhost:8080",
    length: 17,
    isHttp10: false,
  });
  assert.equal(headers.get("x-empty"), "");
  assert.equal(headers.get("x-text"), "\xe9 a\tb: c, d");
  assert.equal(headOf(request("GET / HTTP/1.0", "Host: x")).isHttp10, true);
});

for (const host of ["x", "X.Example", "a-b.c_d", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:1"]) {
  Deno.test(`a host may be ${host}`, () => {
    assert.equal(headOf(withFields(`Host: ${host}`)).host, host);
  });
}

const NO_HOSTS = [
  ..."x:y x: x:123456 x:70000 :80 x@y x/y x?y x#y x%41 [::1 ::1 [x] [::1]x x,y \xe9 x\\y".split(
    " ",
  ),
  "",
  "x y",
  "256.256.256.256",
];

for (const host of NO_HOSTS) {
  Deno.test(`no host is ${JSON.stringify(host)}`, () => {
    assert.equal(refusal(withFields(`Host: ${host}`)), 400);
  });
}

const BAD: Record<string, string> = {
  "nothing": "\r\n\r\n",
  "an empty line first": `\r\n${get("/")}`,
  "no version": request("GET /", "Host: x"),
  "HTTP/2.0": request("GET / HTTP/2.0", "Host: x"),
  "HTTP/1.2": request("GET / HTTP/1.2", "Host: x"),
  "HTTP/1.1 in small letters": request("GET / http/1.1", "Host: x"),
  "a method in small letters": request("get / HTTP/1.1", "Host: x"),
  "a method that is too long": request(`${"A".repeat(17)} / HTTP/1.1`, "Host: x"),
  "two spaces": request("GET  / HTTP/1.1", "Host: x"),
  "a tab": request("GET\t/ HTTP/1.1", "Host: x"),
  "a space in the target": request("GET /a b HTTP/1.1", "Host: x"),
  "something behind the version": request("GET / HTTP/1.1 ", "Host: x"),
  "no Host": withFields("A: b"),
  "two Hosts": withFields("Host: x", "Host: y"),
  "two Hosts alike": withFields("Host: x", "host: x"),
  "two lengths": withFields("Host: x", "Content-Length: 1", "Content-Length: 1"),
  "two lengths in one": withFields("Host: x", "Content-Length: 1, 1"),
  "two tokens": withFields("Host: x", "Authorization: Bearer a", "authorization: Bearer b"),
  "two origins": withFields("Host: x", "Origin: http://x", "Origin: http://y"),
  "a length with a sign": withFields("Host: x", "Content-Length: +1"),
  "a negative length": withFields("Host: x", "Content-Length: -1"),
  "an empty length": withFields("Host: x", "Content-Length:"),
  "a length as hexadecimal digits": withFields("Host: x", "Content-Length: 0x1"),
  "a length beyond numbers": withFields("Host: x", `Content-Length: ${"9".repeat(400)}`),
  "a field without a colon": withFields("Host: x", "A"),
  "a field without a name": withFields("Host: x", ": a"),
  "a space before the colon": withFields("Host: x", "A : b"),
  "a space before the name": withFields("Host: x", " A: b"),
  "a field that goes on with a space": withFields("Host: x", "A: b", " c"),
  "a field that goes on with a tab": withFields("Host: x", "A: b", "\tc"),
  "a name beyond ASCII": withFields("Host: x", "\xe9: b"),
  "a null in a value": withFields("Host: x", "A: b\0c"),
  "a control character in a value": withFields("Host: x", "A: b\x1bc"),
  "a bare LF in a value": withFields("Host: x", "A: b\nB: c"),
  "a bare CR in a value": withFields("Host: x", "A: b\rB: c"),
  "a bare LF behind the request line": "GET / HTTP/1.1\nHost: x\r\n\r\n",
};

for (const [what, text] of Object.entries(BAD)) {
  Deno.test(`400: ${what}`, () => {
    // A line feed or carriage return may be taken for part of the target, which is none then.
    assert.ok([400, 404].includes(Number(refusal(text))), String(refusal(text)));
  });
}

// deno-fmt-ignore: one kind a line
const TARGETS = [
  "*", "", "a", "?a", "#", "/#a", "http://x/", "//", "//x/", "/a//b", "https://x/livez",
  "/.", "/..", "/./a", "/a/./b", "/a/../b", "/a/..", "/a/.",
  "/%2e", "/%2E%2e/a", "/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/%00", "/a%00",
  "/%", "/%a", "/%ag", "/a%2", "/a\\b", "\\a", "/\\", "/a\tb", "/a\0", "/\x7f", "/\xe9", '/"', "/<",
  "/a|b", "/{", "/^", "/`",
];

for (const target of TARGETS) {
  Deno.test(`no page is ${JSON.stringify(target)}`, () => {
    assert.ok([400, 404].includes(Number(refusal(get(target)))), String(refusal(get(target))));
  });
}

Deno.test("an encoding of a body, or one too large, is refused", () => {
  assert.equal(refusal(withFields("Host: x", "Transfer-Encoding: chunked")), 411);
  const both = withFields("Host: x", "Content-Length: 1", "Transfer-Encoding: chunked");
  assert.equal(refusal(both), 411);
  assert.equal(headOf(withFields("Host: x", "Content-Length: 1048576")).length, 1024 * 1024);
  assert.equal(refusal(withFields("Host: x", "Content-Length: 1048577")), 413);
});

Deno.test("a head ends behind its empty line, wherever it is cut", () => {
  const whole = octets(request("PUT /api/audit HTTP/1.1", "Host: x", "A: \n\n", "B: \r\r", "C: d"));
  for (let cut = 0; cut < whole.length; cut++) assert.equal(headEnd(whole.subarray(0, cut)), -1);
  assert.equal(headEnd(whole), whole.length);
  const more = octets("GET / HTTP/1.1\r\n\r\n");
  assert.equal(headEnd(Uint8Array.of(...whole, ...more)), whole.length);
  for (const none of ["\n\n", "\r\r", "\n\r\n", "\r\n\n", "\r\n \r\n", "\r\n\r\r\n"]) {
    assert.equal(headEnd(octets(`GET / HTTP/1.1${none}`)), -1, JSON.stringify(none));
  }
});

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const name = token.filter((name) =>
  !/^(host|content-length|transfer-encoding|authorization|origin)$/i.test(name)
);
const value = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 20,
});
const segment = fc.stringMatching(/^(?:[0-9A-Za-z_~!$&'()*+,;=:@-]|%(?:20|41|c3|3F)){1,8}$/);
const target = fc.tuple(fc.array(segment, { maxLength: 4 }), fc.option(segment)).map(
  ([path, query]) => `/${path.join("/")}${query === null ? "" : `?${query}`}`,
);
const method = fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "X");
const lines = fc.record({
  first: fc.tuple(method, target).map(([method, target]) => `${method} ${target} HTTP/1.1`),
  fields: fc.array(fc.tuple(name, value).map(([name, value]) => `${name}: ${value}`), {
    maxLength: 6,
  }),
});
const wellFormed = lines.map(({ first, fields }) => request(first, "Host: x.example", ...fields));

/** Somewhere between the lines, or in front of the last. */
const inserted = (line: string) =>
  fc.tuple(lines, fc.nat(8)).map(([{ first, fields }, at]) =>
    request(first, ...["Host: x", ...fields].toSpliced(Math.min(at, fields.length + 1), 0, line))
  );

Deno.test("whatever is well formed is taken, and becomes a request of just that", () => {
  fc.assert(fc.property(wellFormed, (text) => {
    const { method, target, host, headers } = headOf(text);
    assert.ok(text.startsWith(`${method} ${target} HTTP`));
    const url = new URL(`http://${host}${target}`);
    assert.equal(url.pathname, target.split("?")[0]);
    assert.equal(new Request(url, { method, headers }).url, url.href);
  }));
});

Deno.test("whatever comes is refused or taken, never a fault of ours", () => {
  const noise = fc.uint8Array({ maxLength: 200 });
  const almost = fc.tuple(wellFormed, fc.nat(), fc.nat(255)).map(([text, at, octet]) => {
    const changed = octets(text);
    changed[at % (changed.length - 4)] = octet;
    return changed;
  });
  fc.assert(
    fc.property(fc.oneof(noise, almost), (octets) => {
      const head = parseHead(Uint8Array.of(...octets, 13, 10, 13, 10));
      if ("status" in head) return assert.ok(head.status >= 400 && head.status < 502);
      const { method, target, host, headers, length } = head;
      assert.ok(length >= 0);
      assert.match(target, /^\/[!-~]*$/);
      new Request(`http://${host}${target}`, { method, headers });
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("what a program of any kind asks is refused or answered, whatever its method", () => {
  const any = fc.stringMatching(/^[A-Z]{1,16}$/);
  const known = fc.constantFrom("TRACE", "CONNECT", "TRACK", "PATCH", "PROPFIND");
  fc.assert(fc.property(fc.oneof(any, known), (method) => {
    const head = parse(request(`${method} /livez HTTP/1.1`, "Host: x"));
    if (!("status" in head)) new Request("http://x/", { method, headers: head.headers });
  }));
});

const ONCE = ["Host: y", "HOST: x", "Content-Length: 0", "content-LENGTH: 1"];

Deno.test("neither two Hosts nor two lengths are ever taken", () => {
  const twice = fc.constantFrom(...ONCE).chain((line) =>
    inserted(line).map((text) =>
      line.startsWith("H") || line.startsWith("HOST")
        ? text
        : text.replace("\r\n", "\r\nContent-Length: 0\r\n")
    )
  );
  fc.assert(fc.property(twice, (text) => assert.equal(refusal(text), 400)));
});

Deno.test("a line that goes on is never taken", () => {
  const folded = fc.tuple(fc.constantFrom(" ", "\t"), value).chain(([first, rest]) =>
    inserted(first + rest)
  );
  fc.assert(fc.property(folded, (text) => assert.equal(refusal(text), 400)));
});

Deno.test("no bare line feed or carriage return is ever taken", () => {
  const bare = fc.tuple(wellFormed, fc.nat(), fc.constantFrom("\r", "\n"), fc.boolean()).map(
    ([text, at, octet, replaced]) => {
      if (!replaced) {
        // Not beside one of the others, which would make it part of an end.
        const place = at % (text.length - 4);
        return text.slice(0, place) + octet + text.slice(place);
      }
      const ends = [...text.slice(0, -2).matchAll(/\r\n/g)].map(({ index }) => index);
      const end = ends[at % ends.length];
      return text.slice(0, end) + octet + text.slice(end + 2);
    },
  );
  fc.assert(
    fc.property(bare, (text) => {
      const whole = text.endsWith("\r\n\r\n") ? text : text + "\r\n\r\n";
      // Two ends in a row end it: what is behind them is no part of it.
      const end = headEnd(octets(whole));
      if (end < whole.length) return;
      assert.ok([400, 404].includes(Number(refusal(whole))), String(refusal(whole)));
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("no path that somebody may read as another is ever taken", () => {
  const trick = fc.constantFrom(
    ..."// /./ /../ /. /.. %2e %2E %2f %2F %5c %5C %00 \\ % %g0 %0".split(" "),
  );
  const odd = fc.tuple(fc.array(segment, { maxLength: 3 }), trick, fc.array(segment)).map(
    ([before, trick, after]) => {
      const isEnd = /^\/\.+$|^%.?$/.test(trick);
      return `/${before.join("/")}${trick}${isEnd ? "" : after.join("/")}`;
    },
  );
  fc.assert(fc.property(odd, (target) => assert.equal(refusal(get(target)), 404)));
});
