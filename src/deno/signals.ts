/** Signals, where the platform has them. */

/** The signals that ask a daemon to end. Windows has no SIGTERM. */
export function onEndSignal(call: (signal: string) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) listen(signal, () => call(signal));
}

/** Asks a daemon to read its settings again. */
export function onReloadSignal(call: () => void): void {
  listen("SIGHUP", call);
}

/** Asks a daemon to begin or end its audit log. */
export function onAuditSignal(call: () => void): void {
  listen("SIGUSR1", call);
}

function listen(signal: Deno.Signal, call: () => void): void {
  if (Deno.build.os === "windows" && signal !== "SIGINT") return;
  Deno.addSignalListener(signal, call);
}
