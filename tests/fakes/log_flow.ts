/** Daemons that lead their output elsewhere, and mail through them, of which much is said. */

import assert from "node:assert/strict";
import { Client } from "./client.ts";
import { Daemon, SERVE_DEV } from "./daemon.ts";
import { freePort } from "./program.ts";
import { settled } from "./settled.ts";

const EVERYTHING = { SMTP_DEBUG: "true", SMTP_LOG_LEVEL: "debug", SMTP_MIN_FREE: "0B" };

/** Messages of which more is said than a pipe of 64 KiB takes, and the MiB that may wait for it. */
export const MANY = 500;

/** It cannot say where it listens, and not that it does. */
export async function startedWith(
  redirection: string,
  settings: Readonly<Record<string, string>>,
): Promise<{ daemon: Daemon; port: number }> {
  const port = freePort();
  const daemon = await Daemon.start({
    command: ["bash", "-c", `exec ${SERVE_DEV.join(" ")} ${redirection}`],
    settings: { ...EVERYTHING, SMTP_LISTEN: "127.0.0.1", SMTP_PORT: String(port), ...settings },
    silent: true,
  });
  return { daemon, port };
}

/** Once it listens. */
export async function greeted(port: number): Promise<Client> {
  for (;;) {
    try {
      const client = await Client.greeted(port);
      await client.ask("EHLO client.example");
      return client;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await settled();
    }
  }
}

const LONG = "x".repeat(60);
/** Of each message. */
export const RECIPIENTS = 5;

export async function mail(client: Client, times = 1): Promise<void> {
  const to = Array.from({ length: RECIPIENTS }, (_, i) => `RCPT TO:<b${i}${LONG}@example.net>`);
  const lines = [`MAIL FROM:<a${LONG}@example.com>`, ...to, "DATA"];
  for (let i = 0; i < times; i++) {
    await client.send(lines.join("\r\n") + "\r\n");
    for (const line of lines) assert.match(await client.reply(), /^(250|354) /, line);
    assert.match(await client.ask(`Subject: ${LONG}\r\n\r\n.`), /^250 2\.0\.0 /);
  }
}
