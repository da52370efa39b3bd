/** Defences against kills, power failures, full and failing disks, planted links. */

import { fault, type Mutant } from "./mutant.ts";

const killedUpon250 = fault("D9_killed_upon_250");

export const durability: readonly Mutant[] = [
  {
    row: "D1",
    what: "a message has left the queue before it is delivered",
    file: "src/store/claim.ts",
    find: "UPDATE recipient SET due = ?, lease = ? WHERE",
    put: "UPDATE recipient SET state = 3, due = ?, lease = ? WHERE",
    tests: fault("D1_kill"),
  },
  {
    row: "D2",
    what: "the name of a large body is not made stable",
    file: "src/deno/files.ts",
    find: `      await syncFolder(path.slice(0, path.lastIndexOf("/")));\n`,
    put: "",
    tests: fault("D2_order"),
  },
  {
    row: "D3",
    what: "after a failed sync the database is used as it is",
    file: "src/store/writer.ts",
    find: `if (failure !== "full" && failure !== "locked") this.#poison(operations);`,
    put: "",
    tests: fault("D3_sync_fails"),
  },
  {
    row: "D4",
    what: "nobody looks for room before a message comes",
    file: "src/intake.ts",
    find: "const isFull = free < minFree || files < LEAST_FILES;",
    put: "const isFull = false;",
    tests: fault("D4_full"),
  },
  {
    row: "D5",
    what: "what is left of a large body that was not kept stays",
    file: "src/store/sqlite.ts",
    find: "if (isLarge) this.#bodies.forget(id);",
    put: "",
    tests: fault("D3_sync_fails"),
  },
  {
    row: "D7",
    what: "a commit does not wait for the disk",
    file: "src/store/spool.ts",
    find: "PRAGMA synchronous=FULL",
    put: "PRAGMA synchronous=OFF",
    tests: fault("D7_power"),
  },
  {
    row: "D7",
    what: "a large body does not wait for the disk",
    file: "src/deno/files.ts",
    find: "  await file.syncData();\n",
    put: "",
    tests: fault("D7_power"),
  },
  {
    row: "D8",
    what: "nobody looks whether octets are those that were stored",
    file: "src/store/reader.ts",
    find: "disk.checksum(octets) === row.checksum",
    put: "row.checksum !== undefined",
    tests: fault("D8_altered"),
  },
  {
    row: "D10",
    what: "a second daemon serves the same spool",
    file: "src/store/spool.ts",
    find: "locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE",
    put: "locking_mode=NORMAL; BEGIN",
    tests: fault("D10_second_daemon"),
  },
  {
    row: "D11",
    what: "a link for a day is followed when names are written",
    file: "src/store/names.ts",
    find: `if (found !== undefined && found.kind !== "folder") this.#setAside(day);`,
    put: "if (found !== undefined) return;",
    tests: fault("D11_links"),
  },
  {
    row: "D11",
    what: "a sweep follows a link",
    file: "src/store/sweep.ts",
    find: `if (isThere) {`,
    put: `if (isThere || true) {`,
    tests: fault("D11_links"),
  },
  {
    row: "D11",
    what: "a database with another name elsewhere is used",
    file: "src/store/spool.ts",
    find: `found.kind !== "file" || found.links > 1`,
    put: `found.kind !== "file"`,
    tests: fault("D11_links"),
  },
  {
    row: "H5",
    what: "time goes by the clock on the wall",
    file: "src/store/sqlite.ts",
    find: "return Math.floor(this.#timeAtStart + passed);",
    put: "return Math.floor(this.#parts.clock.now() + 0 * passed);",
    tests: fault("H5_clock"),
  },
  {
    row: "H8",
    what: "a spool that others may read is used",
    file: "src/store/spool.ts",
    find: "if (mode === undefined || (mode & 0o777) === 0o700) return;",
    put: "if (mode !== -1) return;",
    tests: fault("H8_modes"),
  },
  {
    row: "D7",
    what: "the log of the database is synced now and then",
    file: "src/store/spool.ts",
    find: "PRAGMA synchronous=FULL",
    put: "PRAGMA synchronous=NORMAL",
    tests: fault("D7_power"),
  },
  {
    row: "D7",
    what: "the name of a large body is not synced",
    file: "src/deno/files.ts",
    find: `      await syncFolder(path.slice(0, path.lastIndexOf("/")));\n`,
    put: "",
    tests: fault("D7_power"),
  },
  {
    row: "D7",
    what: "the name of a new spool is not synced",
    file: "src/store/spool.ts",
    find: "    syncAbove(folder, files);\n",
    put: "",
    tests: fault("D7_power"),
  },
  {
    row: "D7",
    what: "a database half made cannot be opened",
    file: "src/store/spool.ts",
    find: "const readOnly = disk.files.look(`${path}-journal`) === undefined;",
    put: "const readOnly = true;",
    tests: fault("D7_power"),
  },
  {
    row: "D7",
    what: "bodies that no message has are left behind",
    file: "src/store/writer.ts",
    find: "    this.#clearBodies(engine, { isNew: last === 0 });\n",
    put: "",
    tests: fault("D7_power"),
  },
  {
    row: "D1",
    what: "250 is said before the store has the message",
    file: "src/intake.ts",
    find: "      await store.commit({",
    put: "      void store.commit({",
    tests: fault("D1_kill"),
  },
  {
    row: "D1",
    what: "a large body is not waited for",
    file: "src/store/sqlite.ts",
    find: "await this.#bodies.keep(id, content)",
    put: "(void this.#bodies.keep(id, content).catch(() => {}), 0)",
    tests: fault("D1_kill"),
  },
  {
    row: "D9",
    what: "the next transaction begins before the last is written down",
    file: "src/queue/dispatcher.ts",
    find: "    await this.#writeDown(claim, decided);",
    put: "    setTimeout(() => void this.#writeDown(claim, decided), 300);",
    tests: fault("D1_kill"),
  },
  {
    row: "D9",
    what: "what is handed out is not marked",
    file: "src/store/claim.ts",
    find:
      "    for (const { position } of group) this.#lease.run(lease, lease, message, position);\n",
    put: "",
    tests: fault("D1_kill"),
  },
  {
    row: "D9",
    what: "a message is written down as delivered, and then handed over",
    file: "src/queue/dispatcher.ts",
    find:
      "      const outcomes = await delivery.deliver(claim, () => store.content(claim.message), signal);\n",
    put: `
      const content = await store.content(claim.message);
      const attempt = { at: clock.now(), outcome: { kind: "delivered", reply: "250" } };
      const recipients = claim.recipients.map(({ position }) => {
        return { position, attempt, state: "delivered" };
      });
      await store.settle({ ...claim, recipients, generated: [] });
      const outcomes = await delivery.deliver(claim, async () => content, signal);
`,
    tests: killedUpon250,
  },
  {
    row: "D9",
    what: "what was delivered is never written down",
    file: "src/queue/dispatcher.ts",
    find: "        return await store.settle({ message, lease, recipients, generated });\n",
    put: "        return;\n",
    tests: killedUpon250,
  },
  {
    row: "D9",
    what: "nobody waits for what the remote says of the content",
    file: "src/outbound/connection.ts",
    find: `        replies.push(await this.#reply("end of DATA"));\n`,
    put: `        void this.#reply("end of DATA").catch(() => {});
        replies.push({ code: 250, lines: [] });
`,
    tests: killedUpon250,
  },
  {
    row: "D9",
    what: "what was under way when the daemon died waits for its lease",
    file: "src/store/claim.ts",
    find: "    if (domains.length > 0) this.#endLeases.run(time);\n",
    put: "",
    tests: killedUpon250,
  },
  {
    row: "D6",
    what: "nobody is told of a file that could not be removed",
    file: "src/store/writer.ts",
    find: `      this.#notices.push({ about: "not removed", path, why: reasonOf(error) });\n`,
    put: "",
    tests: fault("D6_unlink_fails"),
  },
];
