/** A real server on loopback for one test, which keeps what it is given. */

import { world as realWorld } from "../../src/deno/world.ts";
import type { ServerOptions } from "../../src/inbound/options.ts";
import { Server } from "../../src/inbound/server.ts";
import type { Envelope } from "../../src/mail/envelope.ts";
import { Meter } from "../../src/meter.ts";
import { fieldsOf, type LogFields, type LogLevel, type World } from "../../src/ports.ts";
import * as replies from "../../src/smtp/replies.ts";
import { Client } from "./client.ts";

export interface Logged {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class TestServer implements AsyncDisposable {
  readonly server: Server;
  readonly messages: Envelope[] = [];
  /** Of every level: what only `SMTP_LOG_LEVEL=debug` shows, too. */
  readonly logged: Logged[] = [];
  readonly meter = new Meter();
  readonly stopped: Promise<void>;

  constructor(options: Partial<ServerOptions> = {}, world: Partial<World> = {}) {
    this.server = new Server({
      addresses: ["127.0.0.1"],
      port: 0,
      handler: (envelope) => {
        this.messages.push(envelope);
        return replies.accepted(envelope.id);
      },
      ...options,
    }, {
      ...realWorld,
      meter: this.meter,
      log: (level, event, fields = {}) =>
        this.logged.push({ level, event, fields: fieldsOf(fields) }),
      ...world,
    });
    this.stopped = this.server.listenAndServe();
  }

  get port(): number {
    return this.server.address.port;
  }

  /** What the log shows where nothing is set. */
  get told(): Logged[] {
    return this.logged.filter(({ level }) => level !== "debug");
  }

  connect(): Promise<Client> {
    return Client.connect(this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown({ within: 0 });
    await this.stopped;
  }
}

/** The content of a message, one character for each octet. */
export function contentOf({ content }: Envelope): string {
  return content.chunks.map((chunk) => new TextDecoder("latin1").decode(chunk)).join("");
}
