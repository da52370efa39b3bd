/**
 * Postfix as a measure and a peer: the system's programs with a private configuration and queue,
 * which accept mail and hold it, or hand it to a port of loopback before they accept it. What it
 * writes it syncs as ever; else it is spared what work it can be. Nothing can leave: without a port
 * there is no queue manager and no client in its `master.cf`, and with one it knows no other.
 * The system's own configuration and queue are not touched.
 *
 * It must be started by root, as any Postfix. It ends, and its folder goes, when it is disposed of.
 */

import { Client } from "./client.ts";
import { freePort } from "./program.ts";
import { find } from "./tools.ts";

const FOLDERS_OF_POSTFIX = ["active", "deferred", "hold", "incoming", "private", "public"];
const ATTEMPTS = 200;

/** Where its mail goes, to a port of loopback; without one it is held. */
export interface Way {
  /** Before it is accepted. */
  readonly before?: number;
  /** Through its queue. */
  readonly to?: number;
}

export class Postfix implements AsyncDisposable {
  readonly port: number;
  readonly version: string;
  readonly #folder: string;
  readonly #master: Deno.ChildProcess;

  private constructor(port: number, version: string, folder: string, master: Deno.ChildProcess) {
    this.port = port;
    this.version = version;
    this.#folder = folder;
    this.#master = master;
  }

  /** Resolves once it greets. */
  static async start(way: Way = {}): Promise<Postfix> {
    if (Deno.uid() !== 0) throw new Error("Postfix: Postfix must be started by root");
    const [programs, version] = await builtIn("daemon_directory", "mail_version");
    const folder = await Deno.makeTempDir({ prefix: "dinopost-postfix-" });
    try {
      const port = freePort();
      await lay(folder, port, way);
      const master = new Deno.Command(`${programs}/master`, {
        args: ["-d", "-c", `${folder}/etc`],
        clearEnv: true,
        stdin: "null",
        stdout: "null",
        // Why it would not start; later it is silent.
        stderr: "inherit",
        // A group of its own, which its services belong to.
        detached: true,
      }).spawn();
      const postfix = new Postfix(port, version, folder, master);
      try {
        await postfix.#greets();
      } catch (error) {
        await postfix.#end();
        throw error;
      }
      return postfix;
    } catch (error) {
      await Deno.remove(folder, { recursive: true });
      throw error;
    }
  }

  /** How many messages it has. */
  held(): number {
    return Deno.readDirSync(`${this.#folder}/queue/hold`).toArray().length;
  }

  async #greets(): Promise<void> {
    let ended = false;
    this.#master.status.then(() => ended = true);
    for (let attempt = 0; attempt < ATTEMPTS && !ended; attempt++) {
      try {
        using client = await Client.connect(this.port);
        if ((await client.reply()).startsWith("220 ")) return;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("Postfix: Postfix does not greet");
  }

  async #end(): Promise<void> {
    try {
      Deno.kill(-this.#master.pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#master.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** What was built into the programs; no configuration is read. */
async function builtIn(...names: string[]): Promise<string[]> {
  const postconf = find("postconf");
  if (postconf === undefined) throw new Error("Postfix: Postfix is not installed");
  const { stdout } = await new Deno.Command(postconf, { args: ["-dh", ...names] }).output();
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

/** Makes configuration and folders as Postfix wants them, owned as it wants them. */
async function lay(folder: string, port: number, way: Way): Promise<void> {
  const { uid, gid } = userNamed("postfix");
  await Deno.chmod(folder, 0o711);
  for (const name of ["etc", "queue", "queue/pid"]) {
    await Deno.mkdir(`${folder}/${name}`, { mode: 0o755 });
  }
  for (const name of ["data", ...FOLDERS_OF_POSTFIX.map((name) => `queue/${name}`)]) {
    await Deno.mkdir(`${folder}/${name}`, { mode: 0o700 });
    await Deno.chown(`${folder}/${name}`, uid, gid);
  }
  const files = { "main.cf": mainOf(folder, way), "master.cf": masterOf(port, way) };
  // Each process of Postfix waits for a file that was just written: it might not be whole.
  const longAgo = Date.now() / 1000 - 3600;
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/etc/${name}`, text);
    await Deno.utime(`${folder}/etc/${name}`, longAgo, longAgo);
  }
}

function userNamed(name: string): { uid: number; gid: number } {
  const line = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m")
    .exec(Deno.readTextFileSync("/etc/passwd"));
  if (line === null) throw new Error(`Postfix: no user ${name}`);
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

const mainOf = (folder: string, { before, to }: Way) =>
  `\
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
${
    before !== undefined
      ? `smtpd_proxy_filter = 127.0.0.1:${before}`
      : to !== undefined
      ? `relayhost = [127.0.0.1]:${to}`
      : "smtpd_recipient_restrictions = check_recipient_access static:HOLD, permit_mynetworks, reject"
  }
default_process_limit = 100
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_client_message_rate_limit = 0
# No more reports to a postmaster, names of clients, or pauses because nothing is delivered;
# and a service lives for more than a hundred requests.
notify_classes =
smtpd_peername_lookup = no
in_flow_delay = 0
${isHeard() ? LOG_OF_ITS_OWN(folder) : ""}`;

/** Without a system log, lines come to nothing at no cost; else they shall not fill it. */
function isHeard(): boolean {
  try {
    Deno.statSync("/dev/log");
    return true;
  } catch {
    return false;
  }
}

const LOG_OF_ITS_OWN = (folder: string) =>
  `\
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
`;

/** All that there is goes to one port of loopback. */
const CLIENT = `\
qmgr              unix  n - n 300 1 qmgr
smtp              unix  - - n - - smtp
relay             unix  - - n - - smtp
bounce            unix  - - n - 0 bounce
defer             unix  - - n - 0 bounce
retry             unix  - - n - - error
error             unix  - - n - - error
scache            unix  - - n - 1 scache`;

const masterOf = (port: number, { to }: Way) =>
  `\
127.0.0.1:${port} inet  n - n - - smtpd
cleanup           unix  n - n - 0 cleanup
rewrite           unix  - - n - - trivial-rewrite
${to === undefined ? "" : CLIENT}
${isHeard() ? "postlog unix-dgram n - n - 1 postlogd" : ""}
`;
