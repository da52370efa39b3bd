/**
 * Runs an executable as its users will: `version`, `check`, and one message over SMTP. A base
 * of another version still gives an executable, but one that fails; so what was compiled
 * counts only when it has run.
 */

const SECONDS = 20;
/** There everywhere, and nobody's settings. */
const OUTSIDE = "/proc/self/status";

/** The paths it was granted; absent: all. */
export interface Grants {
  readonly read: readonly string[] | undefined;
  readonly write: readonly string[] | undefined;
}

/** Rejects with what it did otherwise than it should. */
export async function tryOut(path: string, { read, write }: Grants): Promise<void> {
  const program = await Deno.realPath(path);
  const version = await output(program, ["version"]);
  if (!/^dinopost \d/.test(version)) throw new Error(`version: ${version}`);
  const check = await output(program, ["check", "--dev"]);
  if (!/^SMTP_PORT=0 /m.test(check) || !/^# SQLite \d/m.test(check)) {
    throw new Error(`check: ${check}`);
  }
  const unit = await output(program, ["unit"]);
  if (!/^ExecStart=/m.test(unit)) throw new Error(`unit: ${unit}`);
  if (read !== undefined && !read.some((path) => OUTSIDE.startsWith(path))) {
    await seeNotRead(program);
  }
  const outside = await Deno.makeTempDir();
  try {
    if (write !== undefined && !write.some((path) => outside.startsWith(path))) {
      await seeNotWritten(program, outside);
    }
    await inSpool(write?.[0] ?? outside, (spool) => sendOne(program, spool));
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
}

/** A spool for this trial, in a folder that is granted; what was made for it is removed. */
async function inSpool(folder: string, run: (spool: string) => Promise<void>): Promise<void> {
  const missing: string[] = [];
  for (let path = folder; !await exists(path); path = path.slice(0, path.lastIndexOf("/"))) {
    missing.push(path);
  }
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    const made = await Deno.makeTempDir({ dir: folder, prefix: "try-" });
    missing.unshift(made);
    await run(`${made}/spool`);
    await Deno.remove(`${made}/spool`, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new Error(`${folder}: cannot be used to try it: compile as a user who may`);
  } finally {
    for (const path of missing) await Deno.remove(path, { recursive: path.includes("/try-") });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function command(program: string, args: string[], settings: Record<string, string> = {}) {
  return new Deno.Command(program, {
    args,
    // As under systemd: another directory, and no settings of whoever compiles.
    cwd: "/",
    clearEnv: true,
    env: { SMTP_PORT: "0", NO_COLOR: "1", ...settings },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(SECONDS * 1000),
  });
}

async function output(program: string, args: string[], settings = {}): Promise<string> {
  const { stdout, stderr } = await command(program, args, settings).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** A path that was not granted is not read. */
async function seeNotRead(program: string): Promise<void> {
  const said = await output(program, ["check"], { SMTP_ENV_FILE: OUTSIDE });
  if (!said.includes("not granted to read")) throw new Error(`read outside: ${said}`);
}

/** A spool where it was granted nothing is not made. */
async function seeNotWritten(program: string, folder: string): Promise<void> {
  const settings = { SMTP_QUEUE_PATH: `${folder}/spool` };
  const said = await output(program, ["serve", "--dev"], settings);
  if (!said.includes("cannot be made or read")) throw new Error(`write outside: ${said}`);
}

async function sendOne(program: string, spool: string): Promise<void> {
  const daemon = command(program, ["serve", "--dev"], { SMTP_QUEUE_PATH: spool }).spawn();
  const out = daemon.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const errors = new Response(daemon.stderr).text();
  try {
    let said = "";
    while (!/^Kept /m.test(said)) {
      const { done, value } = await out.read();
      if (done) throw new Error(`serve: ${said}${await errors}`);
      said += value;
    }
    await talk(Number(/:(\d+)(?:\s|$)/.exec(said)?.[1]));
  } finally {
    daemon.kill("SIGTERM");
    await out.cancel();
  }
  const { code } = await daemon.status;
  if (code !== 0) throw new Error(`serve: status ${code}: ${await errors}`);
  await errors;
}

async function talk(port: number): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const lines: [string, string][] = [
    ["", "220"],
    ["EHLO compile.example\r\n", "250"],
    ["MAIL FROM:<a@example.com>\r\n", "250"],
    ["RCPT TO:<b@example.net>\r\n", "250"],
    ["DATA\r\n", "354"],
    ["Subject: compiled\r\n\r\nIt runs.\r\n.\r\n", "250"],
    ["QUIT\r\n", "221"],
  ];
  const buffer = new Uint8Array(4096);
  for (const [line, code] of lines) {
    await connection.write(new TextEncoder().encode(line));
    const reply = new TextDecoder().decode(buffer.subarray(0, await connection.read(buffer) ?? 0));
    if (!reply.startsWith(code)) throw new Error(`${line.trim()}: ${reply}`);
  }
}
