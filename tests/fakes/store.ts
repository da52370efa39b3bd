/** A real store in a temporary folder, for one test. */

import { clock } from "../../src/deno/clock.ts";
import { disk } from "../../src/deno/files.ts";
import { random } from "../../src/deno/random.ts";
import { startThread } from "../../src/deno/thread.ts";
import type { Envelope } from "../../src/mail/envelope.ts";
import { Meter } from "../../src/meter.ts";
import type { Entry, Store } from "../../src/ports/store.ts";
import { fieldsOf, type LogFields } from "../../src/ports.ts";
import { parseMailbox } from "../../src/smtp/address.ts";
import type { Content } from "../../src/smtp/content.ts";
import { Engine } from "../../src/store/engine.ts";
import { Layout } from "../../src/store/layout.ts";
import { openDatabase } from "../../src/store/spool.ts";
import { SqliteStore, type StoreParts } from "../../src/store/sqlite.ts";

export class TestStore implements AsyncDisposable {
  readonly logged: { level: string; event: string; fields: LogFields }[] = [];
  readonly meter = new Meter();
  #store: SqliteStore | undefined;

  private constructor(readonly folder: string, readonly parts: Partial<StoreParts>) {}

  static async open(parts: Partial<StoreParts> = {}): Promise<TestStore> {
    const folder = parts.folder ?? `${await Deno.makeTempDir()}/spool`;
    const store = new TestStore(folder, parts);
    await store.reopen();
    return store;
  }

  get store(): Store {
    return this.#store!;
  }

  /** As the next daemon would. */
  async reopen(parts: Partial<StoreParts> = this.parts): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
    this.#store = await SqliteStore.open({
      folder: this.folder,
      viewed: false,
      clock,
      log: (level, event, fields = {}) =>
        this.logged.push({ level, event, fields: fieldsOf(fields) }),
      meter: this.meter,
      random,
      files: disk.files,
      checksum: disk.checksum,
      startWriter: () => startThread("writer"),
      startReader: () => startThread("reader"),
      ...parts,
    });
  }

  /** Another process, as a command of the command line is. */
  static command(folder: string): { release(ids: string[]): void; close(): void } {
    const layout = new Layout(folder);
    const engine = new Engine(openDatabase(layout.database, disk), layout, disk, { viewed: false });
    return {
      release(ids) {
        const operation = { kind: "order", order: "release", which: { ids } } as const;
        engine.write([operation], new Uint8Array(0), engine.looks.seen());
      },
      close: () => engine.close(),
    };
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await Deno.remove(this.folder.slice(0, this.folder.lastIndexOf("/")), { recursive: true });
  }
}

let made = 0;

export interface Given {
  readonly id?: string;
  readonly to?: readonly string[];
  readonly from?: string;
  readonly text?: string;
  readonly client?: string;
  readonly receivedAt?: number;
}

export function contentFrom(text: string | Uint8Array<ArrayBuffer>): Content {
  const octets = typeof text === "string" ? new TextEncoder().encode(text) : text;
  return { chunks: [octets], size: octets.length };
}

export function envelopeOf(given: Given = {}): Envelope {
  const { to = ["bob@example.net"], from = "alice@example.com", text = "Subject: x\r\n\r\nx\r\n" } =
    given;
  return {
    id: given.id ?? `test${String(++made).padStart(16, "0")}`,
    client: { address: given.client ?? "127.0.0.1", port: 4711, helo: "client", esmtp: true },
    sender: { mailbox: from === "" ? null : parseMailbox(from)!, body: "7BIT", utf8: false },
    recipients: to.map((address) => ({ mailbox: parseMailbox(address)! })),
    content: contentFrom(text),
    receivedAt: given.receivedAt ?? Date.now(),
  };
}

export function entryOf(given: Given = {}, entry: Partial<Entry> = {}): Entry {
  const envelope = envelopeOf(given);
  return { envelope, state: "queued", origin: "accepted", subject: "x", keys: "x", ...entry };
}

export async function textOf(content: Promise<Content>): Promise<string> {
  const decoder = new TextDecoder("latin1");
  return (await content).chunks.map((chunk) => decoder.decode(chunk)).join("");
}
