/** Signals, where the platform has them. */

/** The signals that ask a daemon to end. Windows has no SIGTERM. */
export function onEndSignal(call: (signal: string) => void): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) listen(signal, () => call(signal));
}

/** Asks a daemon to read its settings again. */
export function onReloadSignal(call: () => void): void {
  listen("SIGHUP", call);
}

/**
 * Asks a daemon to begin or end its audit log. The runtime takes SIGUSR1 for the wish to let a
 * debugger in: that door is shut again at once. SIGUSR2 means nothing else.
 */
export function onAuditSignal(call: () => void): void {
  listen("SIGUSR2", call);
  listen("SIGUSR1", () => {
    for (const delay of [0, 1, 5, 20, 100, 500]) setTimeout(shutDebuggerOut, delay);
    call();
  });
}

/** Whether it has come to open it yet nobody tells. */
async function shutDebuggerOut(): Promise<void> {
  const { close } = await import("node:inspector");
  close();
}

function listen(signal: Deno.Signal, call: () => void): void {
  if (Deno.build.os === "windows" && signal !== "SIGINT") return;
  Deno.addSignalListener(signal, call);
}
