/** Threads that begin come before connections: they cannot begin without descriptors. */

import assert from "node:assert/strict";
import { net } from "../../src/deno/net.ts";
import { reserve, startThread, threadsBegun } from "../../src/deno/thread.ts";
import { Client } from "../fakes/client.ts";

/** How often this process has it open. */
const opened = (path: string) =>
  [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false;
    }
  }).length;

Deno.test("no connection is accepted while a thread begins", async () => {
  const listener = net.listen({ hostname: "127.0.0.1", port: 0 });
  using _client = await Client.connect(listener.addr.port);
  const order: string[] = [];
  const thread = startThread("reader");
  const answered = thread.ask({ kind: "open", folder: "/nowhere" })
    .catch(() => {}).then(() => order.push("answered"));
  const accepted = listener.accept().then((connection) => {
    order.push("accepted");
    connection.close();
  });
  await Promise.all([answered, accepted]);
  assert.deepEqual(order, ["answered", "accepted"]);
  assert.equal(threadsBegun(), undefined);
  thread.end();
  listener.close();
});

Deno.test("a thread that ends before it has begun keeps no connection waiting", async () => {
  const thread = startThread("reader");
  assert.notEqual(threadsBegun(), undefined);
  thread.end();
  await threadsBegun();
  assert.equal(threadsBegun(), undefined);
  await assert.rejects(thread.ask({}), /thread reader ended: it was told to/);
});

Deno.test("what cannot be asked takes no answer of another", async () => {
  const thread = startThread("reader");
  await assert.rejects(async () => await thread.ask(() => "no thread can be given a function"));
  const answers = ["list", "nothing of the kind"].map((kind) => thread.ask({ kind }));
  const [listed, other] = await Promise.allSettled(answers);
  thread.end();
  assert.equal(listed.status, "rejected");
  assert.deepEqual(other, { status: "fulfilled", value: undefined });
});

Deno.test("a thread gets what was reserved for it", async () => {
  const folder = await Deno.makeTempDir();
  const release = reserve(folder);
  assert.equal(opened(folder), 12);
  const thread = startThread("reader", release);
  assert.equal(opened(folder), 0);
  await thread.ask({ kind: "open", folder }).catch(() => {});
  thread.end();
  await Deno.remove(folder);
});
