/** Files of this machine, as the spool wants them. */

import { statfsSync } from "node:fs";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Disk, Files, OpenFile } from "../ports/files.ts";
import { databases } from "./database.ts";

const OWNERS_FILE = 0o600;
const OWNERS_FOLDER = 0o700;

const files: Files = {
  get user() {
    // Neither the system nor the permissions of an executable need to have it.
    try {
      return Deno.uid() ?? undefined;
    } catch {
      return undefined;
    }
  },
  look(path) {
    try {
      const { isFile, isDirectory, isSymlink, mode, uid, nlink, size } = Deno.lstatSync(path);
      const kind = isFile ? "file" : isDirectory ? "folder" : isSymlink ? "link" : "other";
      return {
        kind,
        mode: mode === null ? undefined : mode & 0o777,
        owner: uid ?? undefined,
        links: nlink ?? 1,
        size,
      };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  },
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true, mode: OWNERS_FOLDER }),
  names(folder) {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  },
  // O_EXCL: a link that somebody planted is not followed.
  write: (path, octets) => Deno.writeFileSync(path, octets, { createNew: true, mode: OWNERS_FILE }),
  read: (path) => Deno.readFileSync(path),
  part(path, at, length) {
    using file = Deno.openSync(path, { read: true });
    return partOf(file, at, new Uint8Array(length));
  },
  open: (path) => new WrittenFile(Deno.openSync(path, { read: true, write: true })),
  link: (from, to) => Deno.linkSync(from, to),
  copy(from, to) {
    using file = Deno.openSync(from, { read: true });
    using made = Deno.openSync(to, { write: true, createNew: true, mode: OWNERS_FILE });
    const buffer = new Uint8Array(1024 * 1024);
    for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
      for (let at = 0; at < count;) at += made.writeSync(buffer.subarray(at, count));
    }
    made.syncSync();
  },
  rename: (from, to) => Deno.renameSync(from, to),
  remove(path) {
    try {
      Deno.removeSync(path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  },
  removeFolder: (path) => Deno.removeSync(path),
  syncFolder(path) {
    // Windows keeps names by itself, and has no way to ask for it.
    if (Deno.build.os === "windows") return;
    using folder = Deno.openSync(path, { read: true });
    folder.syncSync();
  },
  space(path) {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    return { free: bavail * bsize, files: files === 0 ? undefined : ffree };
  },
  async keep(path, chunks) {
    try {
      const checksum = await writeStable(path, chunks);
      await syncFolder(path.slice(0, path.lastIndexOf("/")));
      return checksum;
    } catch (error) {
      // What was there before is not ours to remove.
      if (!(error instanceof Deno.errors.AlreadyExists)) await Deno.remove(path).catch(() => {});
      throw error;
    }
  },
};

function partOf(
  file: Deno.FsFile,
  at: number,
  memory: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  file.seekSync(at, Deno.SeekMode.Start);
  let size = 0;
  while (size < memory.length) {
    const count = file.readSync(memory.subarray(size));
    if (count === null) break;
    size += count;
  }
  return memory.subarray(0, size);
}

class WrittenFile implements OpenFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  write(octets: Uint8Array): void {
    for (let at = 0; at < octets.length;) at += this.#file.writeSync(octets.subarray(at));
  }

  /** Zeros: a hole would have its place only when it is written to. */
  reserve(length: number): void {
    this.write(new Uint8Array(length));
    this.#file.seekSync(-length, Deno.SeekMode.Current);
  }

  sync(): Promise<void> {
    return this.#file.syncData();
  }

  rewind(): void {
    this.#file.seekSync(0, Deno.SeekMode.Start);
  }

  empty(): void {
    this.#file.truncateSync(0);
    this.rewind();
  }

  part(at: number, memory: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return partOf(this.#file, at, memory);
  }

  close(): void {
    this.#file.close();
  }
}

async function writeStable(path: string, chunks: readonly Uint8Array[]): Promise<number> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: OWNERS_FILE });
  let checksum = 0;
  for (const chunk of chunks) {
    checksum = crc32(chunk, checksum);
    for (let left = chunk; left.length > 0;) left = left.subarray(await file.write(left));
  }
  await file.syncData();
  return checksum;
}

async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

/** Of two things that are there, whatever leads to them. */
export function isWithin(path: string, folder: string): boolean {
  try {
    return `${Deno.realPathSync(path)}/`.startsWith(`${Deno.realPathSync(folder)}/`);
  } catch {
    // This process may not see what leads there: it is told as any other place.
    return false;
  }
}

/** It is the runtime that refuses, which its flags or an executable's grants would change. */
export function isNotGranted(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable;
}

export const disk: Disk = {
  files,
  databases,
  digest: (text) => createHash("sha256").update(text).digest("hex"),
  checksum: (octets, before = 0) => crc32(octets, before),
};
