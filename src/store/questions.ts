/** What the thread that writes is asked, and what it answers. */

import type { Operation, Result } from "./engine.ts";
import type { Place } from "./journal.ts";
import type { Times } from "./look.ts";
import type { Salvaged } from "./salvage.ts";

export type WriterQuestion =
  | {
    readonly kind: "open";
    readonly folder: string;
    readonly viewed: boolean;
    readonly wall: number;
  }
  | {
    readonly kind: "write";
    readonly operations: readonly Operation[];
    readonly octets: Uint8Array;
    /** New in the journal. Of all there that the tables do not have, some are taken first. */
    readonly places: readonly Place[];
    readonly times: Times;
    /** Nobody waits for it, and whoever brings mail wants the processor, too. */
    readonly gently: boolean;
  }
  /** Whoever reads has met damage. */
  | { readonly kind: "salvage" }
  | { readonly kind: "poll" }
  | { readonly kind: "close" };

/** What happened besides, for the log. */
export type Notice =
  /** By the process before, it may be, which told nobody how much. */
  | { readonly about: "salvaged"; readonly salvaged: Salvaged | Pick<Salvaged, "path"> }
  | { readonly about: "missing" }
  | { readonly about: "opened anew" }
  /** Of the journal, after a kill: some of it is lost, and the file is set aside. */
  | { readonly about: "journal damaged"; readonly path: string }
  | { readonly about: "journal not read"; readonly why: string }
  /** It was acknowledged, and cannot be in the tables: it is set aside. */
  | { readonly about: "not taken"; readonly path: string; readonly why: string }
  | { readonly about: "not removed"; readonly path: string; readonly why: string };

/** What the tables have of the journal now. */
export interface Taken {
  /** The last batch. */
  readonly sequence: number;
  /** The number of its last message; none: there was nothing that they did not have. */
  readonly last: number | undefined;
}

export type WriterAnswer =
  | {
    readonly kind: "opened";
    /** By the store's own clock. */
    readonly time: number;
    /** The number of the last message, and of the last that has its names. */
    readonly last: number;
    readonly named: number;
    /** Of the last batch of the journal. */
    readonly journaled: number;
    readonly notices: readonly Notice[];
  }
  | { readonly kind: "unusable"; readonly why: string }
  | {
    readonly kind: "written";
    readonly results: readonly Result[];
    /** Absent: the journal had nothing new. */
    readonly taken: Taken | undefined;
    readonly notices: readonly Notice[];
  }
  | {
    readonly kind: "failed";
    readonly full: boolean;
    readonly why: string;
    readonly notices: readonly Notice[];
  }
  | { readonly kind: "salvaged"; readonly notices: readonly Notice[] }
  | { readonly kind: "polled"; readonly changed: boolean }
  | { readonly kind: "closed" };
