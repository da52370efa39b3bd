/** Has the database engine to itself, so that its waits for the disk are nobody else's. */

/// <reference lib="deno.worker" />

import { DatabaseSync } from "node:sqlite";

self.onmessage = () => {
  const database = new DatabaseSync(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS version").get();
  database.close();
  self.postMessage(row?.version);
};
