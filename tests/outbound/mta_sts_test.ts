/** RFC 8461: what domains publish is had, kept, and held to. */

import assert from "node:assert/strict";
import { outwardTrusting } from "../../src/deno/outward.ts";
import { keepsake } from "../../src/deno/keepsake.ts";
import { random } from "../../src/deno/random.ts";
import {
  idOf,
  MtaSts,
  names,
  parsePolicy,
  type StsAnswer,
  type StsPolicy,
} from "../../src/outbound/mta_sts.ts";
import { Router } from "../../src/outbound/route.ts";
import type { Host } from "../../src/outbound/target.ts";
import type { Keepsake } from "../../src/ports/keepsake.ts";
import { Authority, certified, sourceOf } from "../fakes/certificate.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { ListedNames, type Records } from "../fakes/names.ts";
import { claimOf, deliver, outboundTo, RULES } from "../fakes/outbound.ts";
import { Remote } from "../fakes/remote.ts";
import { TestServer } from "../fakes/server.ts";

const DAY = 86_400;
const text = (mode = "enforce", mx = "mx.d.example", age = DAY) =>
  `version: STSv1\r\nmode: ${mode}\r\nmx: ${mx}\r\nmax_age: ${age}\r\n`;

Deno.test("RFC 8461 §3.1 the record is one, and has an id", () => {
  assert.equal(idOf(["v=STSv1; id=20160831085700Z;"]), "20160831085700Z");
  assert.equal(idOf(["other", "v=STSv1;id=a1"]), "a1");
  for (const texts of [[], ["v=STSv1;"], ["v=STSv1; id=a", "v=STSv1; id=b"], ["v=STSv2; id=a"]]) {
    assert.equal(idOf(texts), undefined);
  }
});

Deno.test("RFC 8461 §3.2 a policy is whole, or there is none", () => {
  assert.deepEqual(parsePolicy(text("testing", "*.d.example\nmx: MX2.d.example")), {
    mode: "testing",
    mx: ["*.d.example", "mx2.d.example"],
    maxAge: DAY * 1000,
  });
  assert.equal(parsePolicy("version: STSv1\nmode: none\nmax_age: 0\n")?.mode, "none");
  for (
    const bad of [
      "",
      "<html>version: STSv1</html>",
      text("always"),
      text().replace("STSv1", "STSv2"),
      text().replace(/max_age.*/, ""),
      "version: STSv1\nmode: enforce\nmax_age: 100\n",
    ]
  ) assert.equal(parsePolicy(bad), undefined, bad);
});

Deno.test("RFC 8461 §4.1 a wildcard stands for one label", () => {
  const policy = { mx: ["mx.d.example", "*.w.example"] } as unknown as StsPolicy;
  for (const host of ["mx.d.example", "MX.d.example.", "a.w.example"]) {
    assert.ok(names(policy, host), host);
  }
  for (const host of ["d.example", "a.mx.d.example", "w.example", "a.b.w.example", "aw.example"]) {
    assert.ok(!names(policy, host), host);
  }
});

/** A domain whose record and policy are changed while time is turned. */
function published(keepsake?: Keepsake, clock = new TurnedClock()) {
  const zone: Record<string, Records> = {};
  const fetched: string[] = [];
  const site = { text: text() as string | undefined };
  const logged: string[] = [];
  const sts = new MtaSts(new ListedNames(zone), {
    clock,
    log: (_, event) => logged.push(event),
    outward: {
      fetchText(url) {
        fetched.push(url);
        return site.text === undefined
          ? Promise.reject(new Error("status 404"))
          : Promise.resolve(site.text);
      },
    },
  }, keepsake);
  const record = (id: string | undefined) => {
    zone["_mta-sts.d.example"] = id === undefined
      ? { fails: true }
      : { txt: [`v=STSv1; id=${id}`] };
  };
  const mode = async () => {
    const policy = await sts.policy("d.example");
    return typeof policy === "object" ? policy.mode : policy;
  };
  return { clock, fetched, logged, site, record, mode, close: () => sts.close() };
}

Deno.test("a policy is fetched once, and again when its id is another", async () => {
  const { fetched, site, record, mode } = published();
  assert.equal(await mode(), undefined);
  record("a");
  assert.deepEqual(await Promise.all([mode(), mode()]), ["enforce", "enforce"]);
  assert.equal(await mode(), "enforce");
  assert.deepEqual(fetched, ["https://mta-sts.d.example/.well-known/mta-sts.txt"]);
  site.text = text("testing");
  record("b");
  assert.equal(await mode(), "testing");
  assert.equal(fetched.length, 2);
});

Deno.test("T5 who takes record and policy away takes nothing until its time is over", async () => {
  const { clock, site, record, mode, fetched } = published();
  record("a");
  assert.equal(await mode(), "enforce");
  site.text = undefined;
  record(undefined);
  assert.equal(await mode(), "enforce");
  record("b");
  assert.equal(await mode(), "enforce");
  assert.equal(await mode(), "enforce");
  assert.equal(fetched.length, 2, "a failure is not repeated at once");
  clock.turn(5 * 60_000 + 1);
  await mode();
  assert.equal(fetched.length, 3);
  clock.turn(DAY * 1000);
  assert.equal(await mode(), "unknown");
});

Deno.test("T5 a policy outlives a restart, for the rest of its time", async () => {
  const folder = await Deno.makeTempDir();
  const kept = () => keepsake(`${folder}/mta-sts.json`);
  const first = published(kept());
  first.record("a");
  await first.mode();
  first.clock.turn(5_000);
  // A daemon that was killed then has written it down.
  await first.close();
  assert.equal(Deno.statSync(`${folder}/mta-sts.json`).mode! & 0o777, 0o600);

  const second = published(kept(), first.clock);
  second.record(undefined);
  assert.equal(await second.mode(), "enforce");
  assert.deepEqual(second.fetched, []);
  second.clock.turn(DAY * 1000 - 5_000);
  assert.equal(await second.mode(), "unknown");
  await second.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("what a daemon knows of policies is written down at its end, and only what is new", async () => {
  const written: string[] = [];
  const { record, mode, close, clock } = published({
    read: () => undefined,
    write: (text) => Promise.resolve(void written.push(text)),
  });
  record("a");
  await Promise.all([mode(), mode()]);
  await close();
  assert.equal(written.length, 1);
  assert.equal(clock.timers, 0);
  await close();
  assert.equal(written.length, 1);
  assert.equal(JSON.parse(written[0])[0].domain, "d.example");
});

Deno.test("what cannot be read, or kept, is told, and policies are had all the same", async () => {
  for (const text of ["", "{", "[null]", "{}"]) {
    const { logged, record, mode, close } = published({
      read: () => text,
      write: () => Promise.reject(new Error("disk full")),
    });
    record("a");
    assert.equal(await mode(), "enforce", text);
    await close();
    assert.deepEqual(logged, [
      "MTA-STS policies of before cannot be read",
      "MTA-STS policies not written down",
    ]);
  }
});

Deno.test("RFC 8689 §4.2.1 mail that requires TLS goes only to hosts that are vouched for", async () => {
  const zone = {
    "d.example": { mx: [[10, "mx.d.example"]] as const },
    "mx.d.example": { a: ["203.0.114.1"] },
    "alone.example": { a: ["203.0.114.2"] },
  };
  const routed = async (domain: string, sts: StsAnswer, relay?: Host) => {
    const router = new Router(new ListedNames(zone), random, () => ({ ...RULES, relay }), {
      policy: () => Promise.resolve(sts),
    });
    const route = await router.route(domain, true);
    return "outcome" in route
      ? `${route.outcome.kind} ${route.outcome.status}`
      : route.targets.map(({ name, policy }) => `${name} ${policy}`).join();
  };
  const policy: StsPolicy = { mode: "enforce", mx: ["mx.d.example"], maxAge: DAY };
  assert.equal(await routed("d.example", policy), "mx.d.example require");
  assert.equal(await routed("d.example", { ...policy, mode: "testing" }), "mx.d.example require");
  assert.equal(await routed("d.example", { ...policy, mx: ["x.example"] }), "deferred 4.7.5");
  assert.equal(await routed("d.example", { ...policy, mode: "none" }), "failed 5.7.30");
  assert.equal(await routed("d.example", undefined), "failed 5.7.30");
  assert.equal(await routed("d.example", "unknown"), "deferred 4.4.3");
  // Nobody can forge a record that there is not.
  assert.equal(await routed("alone.example", undefined), "alone.example require");
  const relay: Host = { name: "mx.d.example", port: 25, policy: "none", implicitTls: false };
  assert.equal(await routed("d.example", undefined, relay), "mx.d.example require");
});

Deno.test("T5 STARTTLS stripped under a policy that is enforced: deferred, never in plain text", async () => {
  const enforce: StsPolicy = { mode: "enforce", mx: ["d.example"], maxAge: DAY };
  await using remote = new Remote((talk) => talk.serve());
  const under = async (sts: StsPolicy | undefined) => {
    const outbound = outboundTo(remote.port, { policy: "verify", sts });
    const [outcome] = await deliver(outbound, claimOf(["b"]));
    outbound.close();
    return outcome;
  };
  assert.match(await under(enforce), /^deferred session STARTTLS: 4\.7\.4/);
  assert.ok(!remote.lines.some((line) => line.startsWith("MAIL")));
  const elsewhere = { ...enforce, mx: ["mx.elsewhere.example"] };
  assert.match(await under(elsewhere), /^deferred site .*: 4\.7\.5 no host/);
  assert.match(await under({ ...enforce, mode: "testing" }), /^delivered/);
  assert.match(await under(undefined), /^delivered/);
});

Deno.test("under a policy a host whose certificate is another's gets nothing", async () => {
  const { ca, pair } = await certified();
  await using server = new TestServer({ tls: sourceOf(pair) });
  // Its certificate is of localhost: it is not the host that was named.
  const sts: StsPolicy = { mode: "enforce", mx: ["d.example"], maxAge: DAY };
  const world = { outward: outwardTrusting(ca) };
  const outbound = outboundTo(server.port, { policy: "opportunistic", sts, world });
  assert.match((await deliver(outbound, claimOf(["b"])))[0], /^deferred session STARTTLS: 4\.7\.5/);
  outbound.close();
  assert.equal(server.messages.length, 0);
});

Deno.test("a policy is fetched over HTTPS that is verified, and from nowhere else", async () => {
  const { ca, pair } = await certified();
  const options = { hostname: "127.0.0.1", port: 0, onListen() {}, ...pair };
  const site = Deno.serve(options, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/good") return new Response("a policy");
    if (pathname === "/large") return new Response("x".repeat(100_000));
    return pathname === "/moved"
      ? new Response(null, { status: 302, headers: { location: "/good" } })
      : new Response("none", { status: 404 });
  });
  const fetchText = (path: string, trusted = ca) =>
    outwardTrusting(trusted).fetchText(`https://localhost:${site.addr.port}${path}`);
  assert.equal(await fetchText("/good"), "a policy");
  await assert.rejects(fetchText("/none"), /status 404/);
  await assert.rejects(fetchText("/large"), /more than/);
  await assert.rejects(fetchText("/moved"));
  const other = await Authority.make();
  await assert.rejects(fetchText("/good", other.cert));
  await site.shutdown();
});
