/**
 * Makes the executable, and runs what it has made before it says so.
 *
 *     deno task compile                                   dist/dinopost for this machine
 *     deno task compile --read /etc/dinopost --write /var/spool/dinopost
 *                                                         granted these paths and no others;
 *                                                         without, the unit is the fence
 *     deno task compile --all                             for every platform, with checksums
 *
 * Exit statuses: 0 made, run and good; 1 made, but it does not run, and so removed; 64 wrong
 * usage; 69 the runtime base that goes into it cannot be had here.
 */

import { tryOut } from "./try_executable.ts";
import { unusedParts } from "./unused_parts.ts";

const TARGETS: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "macos-x64": "x86_64-apple-darwin",
  "macos-arm64": "aarch64-apple-darwin",
  "windows-x64.exe": "x86_64-pc-windows-msvc",
};

/** How systemd is told that the daemon is ready. */
const NOTIFY = ["/run/dinopost", "/run/systemd/notify"];

interface Asked {
  read?: string;
  write?: string;
  all: boolean;
}

const asked = parse(Deno.args);
if (asked.all && Deno.env.has("DENORT_BIN")) {
  end(64, "--all: DENORT_BIN names one runtime base, and each platform has its own: unset it");
}
await Deno.mkdir("dist", { recursive: true });
const native = `dist/dinopost${Deno.build.os === "windows" ? ".exe" : ""}`;
await make(native);
try {
  await tryOut(native, { read: asked.read?.split(","), write: asked.write?.split(",") });
} catch (error) {
  await Deno.remove(native);
  end(1, `the executable does not run, removed: ${error instanceof Error ? error.message : error}`);
}
const made = [native];
if (asked.all) {
  for (const [name, target] of Object.entries(TARGETS)) {
    const output = `dist/dinopost-${name}`;
    await make(output, target);
    made.push(output);
  }
}
const sums = await Promise.all(made.map(async (path) => `${await sum(path)}  ${path.slice(5)}\n`));
await Deno.writeTextFile("dist/SHA256SUMS", sums.join(""));
for (const path of made) {
  const size = ((await Deno.stat(path)).size / 1e6).toFixed(1);
  console.log(`${path}  ${size} MB${path === native ? ", run and good" : ", not run here"}`);
}

function parse(args: readonly string[]): Asked {
  const asked: Asked = { all: false };
  for (let i = 0; i < args.length; i++) {
    const option = args[i];
    if (option === "--all") asked.all = true;
    else if (option === "--read" || option === "--write") {
      const paths = args[++i] ?? "";
      // A relative one would be looked for in whatever directory the executable is started.
      if (paths === "" || !paths.split(",").every((path) => path.startsWith("/"))) {
        end(64, `${option} ${paths}: give absolute paths, parted by commas`);
      }
      asked[option === "--read" ? "read" : "write"] = paths;
    } else end(64, `unknown option ${JSON.stringify(option)}: give --read, --write or --all`);
  }
  if (asked.read !== undefined && asked.write === undefined) {
    end(64, "--read alone: the spool is read too: give --write with the path of the spool");
  }
  return asked;
}

/** Everything the executable may do; never to run programs or foreign code. */
function permissions({ read, write }: Asked): string[] {
  const written = write === undefined ? [] : [write, ...NOTIFY];
  return [
    "--no-prompt",
    "--allow-net",
    "--allow-env",
    "--allow-sys=hostname,statfs,uid,networkInterfaces",
    read === undefined ? "--allow-read" : `--allow-read=${[read, ...written].join(",")}`,
    write === undefined ? "--allow-write" : `--allow-write=${written.join(",")}`,
  ];
}

async function make(output: string, target?: string): Promise<void> {
  const args = [
    "compile",
    "--quiet",
    "--frozen",
    "--no-check",
    ...await understood("--exclude-unused-npm"),
    ...(await unusedParts("src/main.ts")).map((path) => `--exclude=${path}`),
    "--unstable-net",
    ...permissions(asked),
    "--include=systemd/dinopost.service",
    "--include=src/thread.ts",
    `--output=${output}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    "src/main.ts",
  ];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, stdout: "null" })
    .output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim();
  if (!/error sending request|base binary|Failed downloading|denort/.test(said)) end(1, said);
  const reason = said.split("\n").find((line) => /error sending|Failed/.test(line))?.trim() ?? said;
  end(
    69,
    `the runtime base of Deno ${Deno.version.deno} cannot be fetched here, so nothing was made.\n` +
      "It comes from Deno's download site. Where that cannot be reached, name a base of just\n" +
      `this version in DENORT_BIN. What Deno said: ${reason}`,
  );
}

/** An option, where the Deno that compiles knows it. */
async function understood(option: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["compile", "--help"] })
    .output();
  return new TextDecoder().decode(stdout).includes(option) ? [option] : [];
}

async function sum(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}

function end(status: number, why: string): never {
  console.error(`compile: ${why}`);
  Deno.exit(status);
}
