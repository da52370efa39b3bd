/**
 * Large contents, a file each, while their messages are in the queue.
 *
 * Promises: a file is on stable storage when `keep` resolves; when it rejects, there is none.
 */

import type { Files } from "../ports/files.ts";
import type { Content } from "../smtp/content.ts";
import type { Layout } from "./layout.ts";
import { failureFrom } from "./room.ts";

export class Bodies {
  readonly #files: Files;
  readonly #layout: Layout;
  readonly #notRemoved: (path: string, why: string) => void;

  constructor(files: Files, layout: Layout, notRemoved: (path: string, why: string) => void) {
    this.#files = files;
    this.#layout = layout;
    this.#notRemoved = notRemoved;
  }

  /** Its checksum. */
  async keep(id: string, { chunks }: Content): Promise<number> {
    const { bodies } = this.#layout;
    try {
      // A link that has taken its place since the start would lead the mail elsewhere.
      if (this.#files.look(bodies)?.kind !== "folder") throw new Error(`${bodies} is not a folder`);
      return await this.#files.keep(this.#layout.body(id), chunks);
    } catch (error) {
      throw failureFrom(error);
    }
  }

  forget(id: string): void {
    const path = this.#layout.body(id);
    try {
      this.#files.remove(path);
    } catch (error) {
      this.#notRemoved(path, String(error));
    }
  }
}
