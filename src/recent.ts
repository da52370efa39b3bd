/** What is costly to find out, and need not be of this very moment: asked once in a while. */

import type { Clock } from "./ports.ts";

export class Recent<T> {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #age: number;
  readonly #ask: () => Promise<T>;
  #known: { readonly answer: Promise<T>; readonly at: number } | undefined;

  /** `age`: how old an answer may be, in milliseconds. */
  constructor(clock: Pick<Clock, "monotonic">, age: number, ask: () => Promise<T>) {
    this.#clock = clock;
    this.#age = age;
    this.#ask = ask;
  }

  /** Those who ask at once ask once. */
  get(): Promise<T> {
    const now = this.#clock.monotonic();
    if (this.#known === undefined || now - this.#known.at >= this.#age) {
      const known = this.#known = { answer: this.#ask(), at: now };
      // A failure is nothing to be remembered.
      known.answer.catch(() => {
        if (this.#known === known) this.#known = undefined;
      });
    }
    return this.#known.answer;
  }
}

/** What is made once, unless it fails. */
export class Loaded<T> {
  readonly #load: () => Promise<T>;
  #loading: Promise<T> | undefined;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  get(): Promise<T> {
    if (this.#loading === undefined) {
      const loading = this.#loading = this.#load();
      loading.catch(() => this.#loading = undefined);
    }
    return this.#loading;
  }
}
