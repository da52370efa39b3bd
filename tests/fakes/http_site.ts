/** The pages over a site of which a test says how it is; asked without a socket. */

import { AuditLog } from "../../src/audit.ts";
import type { Figures } from "../../src/http/figures.ts";
import type { GuardRules } from "../../src/http/guard.ts";
import { pages } from "../../src/http/pages.ts";
import { Meter } from "../../src/meter.ts";
import { fieldsOf, type LogFields } from "../../src/ports.ts";
import type { Check } from "../../src/ports/check.ts";
import { TurnedClock } from "./clock.ts";

export const FIGURES: Figures = {
  sessions: 3,
  deliveries: 4,
  store: {
    accepted: 100,
    generated: 1,
    delivered: 70,
    failed: 6,
    queued: 5,
    held: 7,
    captured: 8,
    dropped: 2,
    quarantined: 9,
    bounced: 4,
    unbounced: 2,
    age: 61_500,
    overdue: 1_250,
    lag: 11,
    untaken: 12,
  },
  space: { free: 123_456_789, files: 4_321 },
  memory: 98_765,
  startedAt: 1_700_000_000_123,
};

export interface Asked {
  readonly address?: string;
  readonly headers?: HeadersInit;
  readonly method?: string;
  readonly body?: string;
}

export const TOKEN = "a token:with colons";
export const LOOPBACK = "127.0.0.1", ELSEWHERE = "192.0.2.7";

export class TestSite {
  readonly clock = new TurnedClock();
  readonly meter = new Meter();
  readonly audit = new AuditLog(this.clock);
  readonly logged: { event: string; fields: LogFields }[] = [];
  checks: () => Promise<readonly Check[]> = () => Promise.resolve([]);
  figures: () => Promise<Figures> = () => Promise.resolve(FIGURES);
  readonly #app: ReturnType<typeof pages>;

  constructor(rules: Partial<GuardRules> = {}) {
    const { meter, audit, clock } = this;
    this.#app = pages(
      {
        meter,
        audit,
        turnAudit: (on) => audit.turn(on, { content: false }),
        checks: () => this.checks(),
        figures: () => this.figures(),
      },
      { hosts: new Set(["relay.example"]), token: TOKEN, ...rules },
      {
        clock,
        log: (_, event, fields = {}) => void this.logged.push({ event, fields: fieldsOf(fields) }),
      },
    );
  }

  async ask(target: string, asked: Asked = {}): Promise<Response> {
    const { address = LOOPBACK, ...init } = asked;
    const url = target.startsWith("/") ? `http://localhost:8080${target}` : target;
    return await this.#app.fetch(new Request(url, init), { address });
  }
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
export const basic = (user: string, password: string) => ({
  authorization: `Basic ${new TextEncoder().encode(`${user}:${password}`).toBase64()}`,
});
