/** R2: an address that floods the server with connections has its share of them, and no more. */

import assert from "node:assert/strict";
import { Daemon, runToEnd } from "../fakes/daemon.ts";
import { testWith } from "../fakes/tools.ts";

const PER_ADDRESS = 20;

/**
 * Hundreds of connections of one address, each that is refused begun again at once, while
 * another address sends mail after mail. What each was told, and then whether the places are
 * free again.
 */
const FLOOD = `
import asyncio, collections, json, sys
port, per_address, mails = int(sys.argv[1]), int(sys.argv[2]), 5
told = collections.Counter()
kept = []
flooding = True

async def connect(address):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    return reader, writer, (await reader.readline()).decode().strip()

async def flood():
    while flooding:
        try:
            reader, writer, greeting = await connect("127.0.0.1")
        except OSError:
            continue
        told[greeting] += 1
        if greeting.startswith("220"):
            kept.append((reader, writer))
            return
        # Whoever floods does not close what is not worth it.
        await reader.read()
        writer.close()

async def ask(reader, writer, line):
    writer.write(line.encode() + b"\\r\\n")
    while True:
        reply = (await reader.readline()).decode().strip()
        if reply[3:4] != "-": return reply

async def mail():
    reader, writer, said = await connect("127.0.0.2")
    if said.startswith("220"):
        for line in ("EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA",
                     "Subject: x\\r\\n\\r\\n.", "QUIT"):
            before, said = said, await ask(reader, writer, line)
        said = before
    writer.close()
    return said[:9]

async def main():
    global flooding
    floods = [asyncio.create_task(flood()) for _ in range(300)]
    while not any(greeting.startswith("421") for greeting in told): await asyncio.sleep(0)
    others = [await mail() for _ in range(mails)]
    flooding = False
    await asyncio.gather(*floods)
    flooded = dict(told)
    for reader, writer in kept:
        await ask(reader, writer, "QUIT")
        assert await reader.read() == b""
        writer.close()
    again = [await connect("127.0.0.1") for _ in range(per_address + 1)]
    print(json.dumps({"flooded": flooded, "others": others, "again": [each[2] for each in again]}))
    for _, writer, _ in again: writer.close()

asyncio.run(main())
`;

const GREETING = "220 localhost ESMTP Dinopost ready";
const REFUSAL = "421 4.7.0 Too many connections from 127.0.0.1";

for (const most of [1000, 2 * PER_ADDRESS]) {
  testWith(
    "python3",
    `R2 a flood from one address is told 421 4.7.0, others are served, of ${most} places`,
    async (python) => {
      await using daemon = await Daemon.start({
        settings: {
          SMTP_DEBUG: "false",
          SMTP_MAX_CLIENTS: String(most),
          SMTP_MAX_CLIENTS_PER_ADDRESS: String(PER_ADDRESS),
        },
      });
      const args = ["-c", FLOOD, String(daemon.port), String(PER_ADDRESS)];
      const { code, stdout, stderr } = await runToEnd([python, ...args]);
      assert.equal(code, 0, stderr);
      const { flooded, others, again } = JSON.parse(stdout);
      assert.deepEqual(Object.keys(flooded).toSorted(), [GREETING, REFUSAL]);
      assert.equal(flooded[GREETING], PER_ADDRESS);
      assert.ok(flooded[REFUSAL] >= 300 - PER_ADDRESS, `${flooded[REFUSAL]}`);
      assert.deepEqual(others, Array(5).fill("250 2.0.0"));
      assert.deepEqual(again, [...Array(PER_ADDRESS).fill(GREETING), REFUSAL]);
    },
  );
}
