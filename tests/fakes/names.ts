/** DNS made of a list of records; what is not in it does not exist. */

import type { Answer, Dns, Mx } from "../../src/ports/dns.ts";

export interface Records {
  readonly mx?: readonly (readonly [preference: number, host: string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly txt?: readonly string[];
  /** It cannot be told now. */
  readonly fails?: boolean;
}

export class ListedNames implements Dns {
  readonly asked: string[] = [];
  readonly #zone: Readonly<Record<string, Records>>;

  constructor(zone: Readonly<Record<string, Records>>) {
    this.#zone = zone;
  }

  async mx(name: string): Promise<Answer<Mx>> {
    const all = this.#zone[name]?.mx?.map(([preference, host]) => ({ preference, host }));
    return await this.#answer(`mx ${name}`, name, all);
  }

  async addresses(name: string, family: "ipv4" | "ipv6"): Promise<Answer<string>> {
    const records = this.#zone[name];
    return await this.#answer(
      `${family} ${name}`,
      name,
      family === "ipv4" ? records?.a : records?.aaaa,
    );
  }

  async texts(name: string): Promise<Answer<string>> {
    return await this.#answer(`txt ${name}`, name, this.#zone[name]?.txt);
  }

  #answer<T>(
    question: string,
    name: string,
    records: readonly T[] | undefined,
  ): Promise<Answer<T>> {
    this.asked.push(question);
    const zone = this.#zone[name];
    if (zone === undefined) return Promise.resolve({ kind: "nonexistent" });
    if (zone.fails) return Promise.resolve({ kind: "unknown", reason: "SERVFAIL" });
    return Promise.resolve(records?.length ? { kind: "found", records } : { kind: "none" });
  }
}
