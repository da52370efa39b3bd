/** What is free on the disk of the spool: asked of the system once a second at most. */

import type { Clock } from "../ports.ts";
import type { Files, Space } from "../ports/files.ts";

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

  get space(): Space {
    const now = this.#clock.monotonic();
    if (this.#known === undefined || now - this.#known.at > AGE) {
      this.#known = { space: this.#files.space(this.#folder), at: now };
    }
    return this.#known.space;
  }
}
