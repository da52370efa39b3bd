/**
 * Files of the spool. Everything is done when a call returns, but for `keep`.
 *
 * Promises: names are never followed where they are links; a file that is made was not there
 * before, and is its owner's alone.
 */

import type { Databases } from "./database.ts";

export interface FileInfo {
  readonly kind: "file" | "folder" | "link" | "other";
  /** The lowest nine bits; absent where the system has none. */
  readonly mode: number | undefined;
  readonly owner: number | undefined;
  /** How many names it has. */
  readonly links: number;
  readonly size: number;
}

export interface Space {
  /** Octets. */
  readonly free: number;
  /** Files that can still be made; absent where that is not limited. */
  readonly files: number | undefined;
}

/** A file that is written from its beginning on, over what is there. */
export interface OpenFile {
  write(octets: Uint8Array): void;
  /** So much place for what is written next, so that it need not grow with each. */
  reserve(length: number): void;
  /** What was written before is on stable storage then. */
  sync(): Promise<void>;
  /** The next is written at the beginning. */
  rewind(): void;
  /** Nothing is in it any more. */
  empty(): void;
  /** Octets from a place on, into memory that is there for them; fewer where it ends. */
  part(at: number, memory: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  close(): void;
}

export interface Files {
  look(path: string): FileInfo | undefined;
  /** Who this process is; absent where the system has no such thing. */
  readonly user: number | undefined;
  makeFolder(path: string): void;
  /** The names in a folder; none where it is not there. */
  names(folder: string): string[];
  /** Makes a file; throws where one is there already. */
  write(path: string, octets: Uint8Array): void;
  read(path: string): Uint8Array<ArrayBuffer>;
  /** Octets from a place in a file on; fewer where it ends. */
  part(path: string, at: number, length: number): Uint8Array<ArrayBuffer>;
  /** A file that is there. */
  open(path: string): OpenFile;
  link(from: string, to: string): void;
  /** Octets and all, made stable; throws where there is one already. */
  copy(from: string, to: string): void;
  rename(from: string, to: string): void;
  /** Whether there was one. */
  remove(path: string): boolean;
  removeFolder(path: string): void;
  /** Makes the names in a folder stable. */
  syncFolder(path: string): void;
  space(path: string): Space;
  /** Makes a file, its octets and its name stable; leaves nothing where it fails. Its checksum. */
  keep(path: string, chunks: readonly Uint8Array[]): Promise<number>;
}

/** What a store needs of the disk. */
export interface Disk {
  readonly files: Files;
  readonly databases: Databases;
  /** SHA-256 of the text in UTF-8, in hexadecimal digits. */
  digest(text: string): string;
  /** CRC-32, going on from that of what came before. */
  checksum(octets: Uint8Array, before?: number): number;
}
