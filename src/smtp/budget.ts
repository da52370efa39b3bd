/**
 * Memory that many share: who wants some takes it first, and gives it back. It counts; what is
 * counted is up to those who take.
 */

export class Budget {
  readonly #octets: number;
  #taken = 0;

  constructor(octets: number) {
    this.#octets = octets;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether there was as much left, and is now taken. */
  take(octets: number): boolean {
    if (this.#taken + octets > this.#octets) return false;
    this.#taken += octets;
    return true;
  }

  /** Whether as much could be taken now. */
  has(octets: number): boolean {
    return this.#taken + octets <= this.#octets;
  }

  give(octets: number): void {
    this.#taken -= octets;
  }
}
