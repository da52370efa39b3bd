/**
 * Files and folders of which the disk has what was synced, and of the rest what luck will have.
 */

/** What of the unsynced has reached the disk. */
export type Luck = "none" | "some" | "all";

/** From 0 to 1. */
export type Chance = () => number;

export type Node = File | Folder;

/** A disk writes so much at once, or not at all. */
const SECTOR = 512;

type Change = { readonly at: number; readonly octets: Uint8Array } | { readonly length: number };

export class File {
  readonly #before: string | undefined;
  #stable: Octets | undefined;
  readonly #unsynced: Change[] = [];

  constructor(before?: string) {
    this.#before = before;
  }

  change(change: Change): void {
    this.#unsynced.push(change);
  }

  beginSync(): () => void {
    const until = this.#unsynced.at(-1);
    return () => {
      // Another sync may have been quicker.
      const count = until === undefined ? 0 : this.#unsynced.indexOf(until) + 1;
      const stable = this.#octets();
      for (const change of this.#unsynced.splice(0, count)) stable.apply(change);
    };
  }

  #octets(): Octets {
    return this.#stable ??= new Octets(
      this.#before === undefined ? new Uint8Array(0) : Deno.readFileSync(this.#before),
    );
  }

  write(path: string, luck: Luck, chance: Chance): void {
    if (this.#stable === undefined && this.#unsynced.length === 0 && this.#before !== undefined) {
      return Deno.linkSync(this.#before, path);
    }
    const octets = new Octets(this.#octets().octets.slice());
    for (const change of this.#unsynced) {
      if (luck === "none") break;
      octets.apply(luck === "all" ? change : mangled(change, chance));
    }
    Deno.writeFileSync(path, octets.octets, { mode: 0o600, createNew: true });
  }
}

/** As it was meant, cut at either end, or not at all. */
function mangled(change: Change, chance: Chance): Change {
  const nothing = { at: 0, octets: new Uint8Array(0) };
  const which = chance();
  if (which < 0.35) return nothing;
  if (which < 0.7 || "length" in change) return change;
  const { at, octets } = change;
  const sectors = Math.ceil(octets.length / SECTOR);
  const cut = Math.floor(chance() * (sectors + 1)) * SECTOR;
  if (chance() < 0.5) return { at, octets: octets.subarray(0, cut) };
  return cut >= octets.length ? nothing : { at: at + cut, octets: octets.subarray(cut) };
}

/** Octets that grow. */
class Octets {
  #room: Uint8Array;
  #length: number;

  constructor(octets: Uint8Array) {
    this.#room = octets;
    this.#length = octets.length;
  }

  get octets(): Uint8Array {
    return this.#room.subarray(0, this.#length);
  }

  apply(change: Change): void {
    if ("length" in change) return this.#setLength(change.length);
    const { at, octets } = change;
    if (octets.length === 0) return;
    if (at + octets.length > this.#length) this.#setLength(at + octets.length);
    this.#room.set(octets, at);
  }

  #setLength(length: number): void {
    if (length > this.#room.length) {
      const room = new Uint8Array(Math.max(length, 2 * this.#room.length));
      room.set(this.octets);
      this.#room = room;
    }
    this.#room.fill(0, length);
    this.#length = length;
  }
}

export class Folder {
  readonly names = new Map<string, Node>();
  readonly #stable = new Map<string, Node>();
  readonly #unsynced: { readonly name: string; readonly node: Node | undefined }[] = [];

  name(name: string, node: Node | undefined): void {
    set(this.names, name, node);
    this.#unsynced.push({ name, node });
  }

  wasThere(name: string, node: Node): void {
    this.names.set(name, node);
    this.#stable.set(name, node);
  }

  beginSync(): () => void {
    const until = this.#unsynced.at(-1);
    return () => {
      const count = until === undefined ? 0 : this.#unsynced.indexOf(until) + 1;
      for (const { name, node } of this.#unsynced.splice(0, count)) set(this.#stable, name, node);
    };
  }

  after(luck: Luck, chance: Chance): Map<string, Node> {
    const names = new Map(this.#stable);
    for (const { name, node } of this.#unsynced) {
      if (luck === "all" || (luck === "some" && chance() < 0.5)) set(names, name, node);
    }
    return names;
  }
}

function set(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

/** A file with several names is one. */
export function folderFrom(path: string, known: Map<number, File>): Folder {
  const folder = new Folder();
  for (const { name, isDirectory } of Deno.readDirSync(path)) {
    const child = `${path}/${name}`;
    if (isDirectory) {
      folder.wasThere(name, folderFrom(child, known));
      continue;
    }
    const number = Deno.statSync(child).ino ?? NaN;
    const file = known.get(number) ?? new File(child);
    known.set(number, file);
    folder.wasThere(name, file);
  }
  return folder;
}
