/**
 * Digests that cost nothing and are counted: what is slow in the real ones is a single HMAC
 * here, and may be held up until a test lets it go on.
 */

import { digests as real } from "../../src/deno/digests.ts";
import type { Digests, ScryptCost } from "../../src/ports/digests.ts";

type Octets = Uint8Array<ArrayBuffer>;
type Name = keyof Digests;

export class CountedDigests implements Digests {
  /** In their order. */
  readonly calls: Name[] = [];
  /** Slow ones under way. */
  underWay = 0;
  /** The most that were under way at once. */
  mostAtOnce = 0;
  #gate: PromiseWithResolvers<void> | undefined;

  count(name: Name): number {
    return this.calls.filter((call) => call === name).length;
  }

  /** Nothing slow comes to its end from now on. */
  hold(): void {
    this.#gate = Promise.withResolvers();
  }

  letGo(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  sha256(octets: Octets): Octets {
    this.calls.push("sha256");
    return real.sha256(octets);
  }

  hmac(key: Octets, octets: Octets): Octets {
    this.calls.push("hmac");
    return real.hmac(key, octets);
  }

  pbkdf2(password: Octets, salt: Octets, iterations: number): Promise<Octets> {
    this.calls.push("pbkdf2");
    return this.#slow(() => quick(password, salt, [iterations], 32));
  }

  scrypt(password: Octets, salt: Octets, { ln, r, p }: ScryptCost, length: number) {
    this.calls.push("scrypt");
    return this.#slow(() => quick(password, salt, [ln, r, p], length));
  }

  same(a: Octets, b: Octets): boolean {
    return real.same(a, b);
  }

  /** As `pbkdf2`, for the client's side, not counted. */
  readonly derive = (password: string, salt: Uint8Array, iterations: number): Octets =>
    quick(new TextEncoder().encode(password), Uint8Array.from(salt), [iterations], 32);

  async #slow(work: () => Octets): Promise<Octets> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.underWay);
    await this.#gate?.promise;
    this.underWay--;
    return work();
  }
}

function quick(password: Octets, salt: Octets, cost: readonly number[], length: number): Octets {
  const key = Uint8Array.from([...salt, ...new TextEncoder().encode(cost.join())]);
  const octets = real.hmac(key, password);
  return Uint8Array.from({ length }, (_, i) => octets[i % octets.length]);
}
