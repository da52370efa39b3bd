/** The daemon with a certificate that an authority of the test vouches for. */

import { certified, writePair } from "./certificate.ts";
import { Daemon, dinopost, runToEnd } from "./daemon.ts";

export interface TlsDaemon {
  readonly daemon: Daemon;
  /** Where TLS is there first. */
  readonly tlsPort: number;
  /** What clients trust, as PEM, and where it stands. */
  readonly ca: string;
  readonly caFile: string;
  /** Runs a command of the command line on the spool. */
  command(...args: string[]): Promise<string>;
}

export async function withTlsDaemon(
  settings: Readonly<Record<string, string>>,
  work: (serving: TlsDaemon) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { ca, pair } = await certified();
    const caFile = `${folder}/ca.pem`;
    await Deno.writeTextFile(caFile, ca);
    await writePair(folder, pair);
    const spool = { SMTP_QUEUE_PATH: `${folder}/spool` };
    await using daemon = await Daemon.start({
      settings: {
        SMTP_TLS_CERT: `${folder}/cert.pem`,
        SMTP_TLS_KEY: `${folder}/key.pem`,
        SMTP_TLS_PORT: "0",
        ...spool,
        ...settings,
      },
    });
    await work({
      daemon,
      tlsPort: tlsPortOf(daemon),
      ca,
      caFile,
      async command(...args) {
        const { code, stdout, stderr } = await runToEnd(dinopost(...args), spool);
        if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`);
        return stdout;
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

export function tlsPortOf({ output }: Daemon): number {
  return Number(/smtps:\/\/127\.0\.0\.1:(\d+)/.exec(output)![1]);
}
