/**
 * What a command was asked for, to standard output.
 *
 * Promises: unlike what a daemon says, all of it arrives, however slowly it is read, and it is
 * octet by octet what was given; a reader that has gone, and a disk that is full, are told.
 */

/** Whoever read it has seen enough: no reason to go on, and nothing to complain of. */
export class ReaderGone extends Error {
  override name = "ReaderGone";
}

/** Not all of it could be written. */
export class ReportError extends Error {
  override name = "ReportError";
}

const STANDARD_COLUMNS = 80;

const encoder = new TextEncoder();

/** Resolves when all of it is written. */
export async function write(output: string | Uint8Array): Promise<void> {
  let left = typeof output === "string" ? encoder.encode(output) : output;
  try {
    while (left.length > 0) left = left.subarray(await Deno.stdout.write(left));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new ReaderGone();
    throw new ReportError(error instanceof Error ? error.message : String(error));
  }
}

/** The columns of the terminal it goes to; none: it goes elsewhere. */
export function columns(): number | undefined {
  if (!Deno.stdout.isTerminal()) return undefined;
  try {
    // A terminal that was never told its size has none.
    return Deno.consoleSize().columns || STANDARD_COLUMNS;
  } catch {
    return STANDARD_COLUMNS;
  }
}
