/**
 * The disk that daemons are killed on. Where the power fails, the next one finds a spool that
 * was built of what the last one was recorded to do (`../fakes/recorded.ts`).
 */

import { RecordedFolder } from "../fakes/recorded.ts";
import { events } from "../fakes/strace.ts";
import type { Luck } from "../fakes/unsynced.ts";
import type { Chance } from "./chance.ts";

const LUCKS: readonly Luck[] = ["none", "some", "some", "all"];

export class Spools {
  readonly record: string;
  readonly #work: string;
  readonly #chance: Chance;
  #built = 0;

  constructor(work: string, chance: Chance) {
    this.#work = work;
    this.#chance = chance;
    this.record = `${work}/record`;
    Deno.mkdirSync(this.#disk);
  }

  get spool(): string {
    return `${this.#disk}/spool`;
  }

  get #disk(): string {
    return `${this.#work}/disk-${this.#built}`;
  }

  get #before(): string {
    return `${this.#work}/before`;
  }

  /** What is there now is taken for stable: before what is to be recorded. */
  remember(): void {
    copy(this.#disk, this.#before);
  }

  /** Builds what the disk may have of what was recorded. */
  failPower(): void {
    const folder = new RecordedFolder(this.#disk, this.#before);
    for (const event of events(Deno.readFileSync(this.record))) folder.take(event);
    const old = this.#disk;
    this.#built++;
    folder.image(this.#disk, this.#chance.one(LUCKS), this.#chance.next);
    // Only now: what was not touched is the same file.
    for (const path of [old, this.#before, this.record]) Deno.removeSync(path, { recursive: true });
  }
}

/** Only what lies in the spool itself is ever written into; what is below is made once. */
function copy(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    const path = `${from}/${name}`;
    if (isDirectory) copy(path, `${to}/${name}`);
    else if (from.endsWith("/spool")) Deno.copyFileSync(path, `${to}/${name}`);
    else Deno.linkSync(path, `${to}/${name}`);
  }
}
