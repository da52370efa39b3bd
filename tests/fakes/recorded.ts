/**
 * A folder as a disk may have it after a power failure, computed from what a process did to it
 * (`strace.ts`): of octets and names only what was synced is certain; of the rest some may
 * have reached the disk, whole or cut, in any order.
 *
 * The strictest reading of POSIX: the name of a file is stable once its folder was synced, its
 * octets once the file was; neither says anything of the other. The index of the database's
 * log is mapped into memory, of no use after a start, and left out.
 */

import type { Call, Event } from "./strace.ts";
import { type Chance, File, Folder, folderFrom, type Luck, type Node } from "./unsynced.ts";

export class RecordedFolder {
  readonly #root: string;
  readonly #folder: Folder;
  readonly #syncs = new Map<Call, () => void>();
  /**
   * Where the next octets go that are written one behind the other, by descriptor; of one that
   * was doubled both have the same.
   */
  readonly #positions = new Map<string, { at: number }>();

  /** `before`: a folder with what was in it, all of it stable; none: it was empty. */
  constructor(root: string, before?: string) {
    this.#root = root;
    this.#folder = before === undefined ? new Folder() : folderFrom(before, new Map());
  }

  take(event: Event): void {
    const { call } = event;
    if (event.is === "begin") {
      // It makes stable what has been done by now, not what is done beside it.
      if (SYNCS.has(call.name)) this.#beginSync(call);
    } else if (event.result >= 0) this.#done(event);
    else this.#syncs.delete(call);
  }

  /** Whether a call is about something in the folder. */
  concerns({ call: { args } }: Event): boolean {
    return args.some((arg) =>
      (typeof arg === "string" ? arg : TEXT.decode(arg.subarray(0, MOST_PATH))).includes(this.#root)
    );
  }

  #beginSync(call: Call): void {
    const path = this.#pathOf(call.args[0]);
    const node = path === undefined ? undefined : this.#find(path);
    if (node !== undefined) this.#syncs.set(call, node.beginSync());
  }

  #done(event: Event & { is: "end" }): void {
    const { call, result, path } = event;
    const [first, second] = call.args;
    if (SYNCS.has(call.name)) {
      this.#syncs.get(call)?.();
      this.#syncs.delete(call);
      return;
    }
    switch (call.name) {
      case "openat":
        this.#positions.set(String(result), { at: 0 });
        return this.#opened(this.#within(path), String(call.args[2]));
      case "fcntl":
        if (String(second).startsWith("F_DUPFD")) {
          this.#positions.set(String(result), this.#position(first));
        }
        return;
      case "lseek":
        this.#position(first).at = result;
        return;
      case "write": {
        const octets = (second as Uint8Array).subarray(0, result);
        const position = this.#position(first);
        this.#file(first)?.change({ at: position.at, octets });
        position.at += result;
        return;
      }
      case "pwrite64": {
        const octets = (second as Uint8Array).subarray(0, result);
        return this.#file(first)?.change({ at: Number(call.args[3]), octets });
      }
      case "ftruncate":
        return this.#file(first)?.change({ length: Number(second) });
      case "mkdir":
      case "mkdirat":
        return this.#name(pathAmong(call.args, 0), new Folder());
      case "link":
      case "linkat":
        return this.#name(pathAmong(call.args, 1), this.#find(pathAmong(call.args, 0)));
      case "unlink":
      case "unlinkat":
      case "rmdir":
        return this.#name(pathAmong(call.args, 0), undefined);
      case "rename":
      case "renameat":
      case "renameat2": {
        const from = pathAmong(call.args, 0);
        this.#name(pathAmong(call.args, 1), this.#find(from));
        return this.#name(from, undefined);
      }
      default:
        if (this.concerns(event)) throw new Error(`a call that is not understood: ${call.name}`);
    }
  }

  #opened(path: string | undefined, flags: string): void {
    if (path === undefined) return;
    let file = this.#find(path);
    if (file === undefined) this.#name(path, file = new File());
    if (!(file instanceof File) || !/O_WRONLY|O_RDWR/.test(flags)) return;
    if (flags.includes("O_TRUNC")) file.change({ length: 0 });
    if (flags.includes("O_APPEND")) throw new Error(`appending is not understood: ${path}`);
  }

  #position(descriptor: string | Uint8Array): { at: number } {
    const number = String(descriptor).split("<", 1)[0];
    let position = this.#positions.get(number);
    if (position === undefined) this.#positions.set(number, position = { at: 0 });
    return position;
  }

  #file(descriptor: string | Uint8Array): File | undefined {
    const path = this.#pathOf(descriptor);
    const node = path === undefined ? undefined : this.#find(path);
    return node instanceof File ? node : undefined;
  }

  /** Of a descriptor; none where it is not in the folder, or its file has no name any more. */
  #pathOf(descriptor: string | Uint8Array): string | undefined {
    return this.#within(/^\d+<(.*)>$/.exec(String(descriptor))?.[1]);
  }

  #within(path: string | undefined): string | undefined {
    return path === this.#root || path?.startsWith(`${this.#root}/`) ? path : undefined;
  }

  #partsOf(path: string): string[] {
    return path.slice(this.#root.length).split("/").filter((part) => part !== "");
  }

  #find(path: string): Node | undefined {
    if (this.#within(path) === undefined) return undefined;
    let node: Node | undefined = this.#folder;
    for (const part of this.#partsOf(path)) {
      node = node instanceof Folder ? node.names.get(part) : undefined;
    }
    return node;
  }

  #name(path: string, node: Node | undefined): void {
    if (this.#within(path) === undefined || path === this.#root) return;
    const folder = this.#find(path.slice(0, path.lastIndexOf("/")));
    if (!(folder instanceof Folder)) throw new Error(`the folder is not known: ${path}`);
    folder.name(this.#partsOf(path).at(-1)!, node);
  }

  /** Writes what the disk may have at this moment into a folder that is not there yet. */
  image(to: string, luck: Luck, chance: Chance): void {
    const written = new Map<File, string>();
    const write = (folder: Folder, path: string) => {
      Deno.mkdirSync(path, { mode: 0o700 });
      for (const [name, node] of folder.after(luck, chance)) {
        if (name.endsWith("-shm")) continue;
        const child = `${path}/${name}`;
        const same = node instanceof File ? written.get(node) : undefined;
        if (node instanceof Folder) write(node, child);
        else if (same !== undefined) Deno.linkSync(same, child);
        else {
          node.write(child, luck, chance);
          written.set(node, child);
        }
      }
    };
    write(this.#folder, to);
  }
}

const TEXT = new TextDecoder();
const MOST_PATH = 4096;
const SYNCS = new Set(["fsync", "fdatasync"]);

/** The paths among arguments, in their order, each in the folder whose descriptor it follows. */
function pathAmong(args: Call["args"], which: number): string {
  const paths: string[] = [];
  for (const [i, arg] of args.entries()) {
    if (typeof arg === "string") continue;
    const path = TEXT.decode(arg);
    const folder = /<(.*)>$/.exec(String(args[i - 1] ?? ""))?.[1];
    paths.push(path.startsWith("/") || folder === undefined ? path : `${folder}/${path}`);
  }
  return paths[which];
}
