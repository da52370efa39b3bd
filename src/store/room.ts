/** What is free on the disk of the spool: asked of the system once a second at most. */

import type { Clock } from "../ports.ts";
import type { Files, Space } from "../ports/files.ts";
import { StoreError, StoreFullError } from "../ports/store.ts";

const AGE = 1_000;

export class Room {
  readonly #folder: string;
  readonly #files: Pick<Files, "space">;
  readonly #clock: Pick<Clock, "monotonic">;
  #known: { readonly space: Space; readonly at: number } | undefined;

  constructor(
    { folder, files, clock }: {
      readonly folder: string;
      readonly files: Pick<Files, "space">;
      readonly clock: Pick<Clock, "monotonic">;
    },
  ) {
    this.#folder = folder;
    this.#files = files;
    this.#clock = clock;
  }

  /** Throws a StoreError where it cannot be asked; nothing of before is said then. */
  get space(): Space {
    const now = this.#clock.monotonic();
    if (this.#known === undefined || now - this.#known.at > AGE) {
      this.#known = { space: this.#ask(), at: now };
    }
    return this.#known.space;
  }

  #ask(): Space {
    try {
      return this.#files.space(this.#folder);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreError(
        `spool ${this.#folder}: its disk does not say what is free: ${why}: ` +
          "see that the folder is there",
      );
    }
  }
}

/** What a failure of the disk means to a client: it may come again when there is room, or later. */
export function failureFrom(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const why = error instanceof Error ? error.message : String(error);
  // What systems say when there is no room, on the disk or for one more file.
  const full = /no space left|quota|disk full/i.test(why);
  return full ? new StoreFullError(why) : new StoreError(why);
}
