/** The process: its arguments, its output, its end. */

import { escapeText } from "../logging/lines.ts";
import { flush, stderr, stdout } from "./output.ts";

export const args: readonly string[] = Deno.args;

/** A line, or several, to standard output. */
export function print(text: string): void {
  stdout.line(escapeText(text));
}

/** A line, or several, to standard error. */
export function complain(text: string): void {
  stderr.line(escapeText(text));
}

/** Ends the process, once what it said has been written. */
export async function exit(status: number): Promise<never> {
  await flush();
  Deno.exit(status);
}

/**
 * Calls back with each rejection that nothing handles. It is a fault of the program, but no
 * reason to cut all the sessions and deliveries that have nothing to do with it.
 */
export function onUnhandledRejection(call: (reason: unknown) => void): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    call(event.reason);
  });
}
