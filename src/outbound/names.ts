/**
 * What delivery asks of DNS, remembered for a while: a thousand messages to one domain ask once.
 *
 * Promises: memory is bounded; what is unknown is soon asked for again.
 */

import type { World } from "../ports.ts";
import type { Answer, Dns, Mx } from "../ports/dns.ts";

const REMEMBERED = 60_000;
const UNKNOWN_REMEMBERED = 5_000;
const MOST = 10_000;

export class Names implements Dns {
  readonly #dns: Dns;
  readonly #world: Pick<World, "clock" | "meter">;
  readonly #known = new Map<string, { answer: Promise<Answer<unknown>>; until: number }>();

  constructor(dns: Dns, world: Pick<World, "clock" | "meter">) {
    this.#dns = dns;
    this.#world = world;
  }

  mx(name: string): Promise<Answer<Mx>> {
    return this.#ask(`mx ${name}`, () => this.#dns.mx(name));
  }

  addresses(name: string, family: "ipv4" | "ipv6"): Promise<Answer<string>> {
    return this.#ask(`${family} ${name}`, () => this.#dns.addresses(name, family));
  }

  texts(name: string): Promise<Answer<string>> {
    return this.#ask(`txt ${name}`, () => this.#dns.texts(name));
  }

  /** Those who ask at once ask once. */
  #ask<T>(question: string, ask: () => Promise<Answer<T>>): Promise<Answer<T>> {
    const { clock, meter } = this.#world;
    const key = question.toLowerCase();
    const known = this.#known.get(key);
    const start = clock.monotonic();
    if (known !== undefined && start < known.until) {
      return known.answer as Promise<Answer<T>>;
    }
    const answer = ask();
    const entry = { answer, until: Infinity };
    this.#known.delete(key);
    this.#known.set(key, entry);
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
    answer.then(({ kind }) => {
      const now = clock.monotonic();
      meter.lookups.count(kind);
      meter.lookupTimes.observe((now - start) / 1000);
      entry.until = now + (kind === "unknown" ? UNKNOWN_REMEMBERED : REMEMBERED);
    }, () => entry.until = 0);
    return answer;
  }
}
