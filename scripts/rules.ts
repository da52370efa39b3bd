/**
 * The rules of the house that no linter knows: imports point one way, only `src/deno/`
 * touches the runtime, standards are cited in one form, files stay readable in one go.
 */

const SOURCE = "src";
const MOST_LINES = 300;

/** What each part of `src/` may import, beside itself. The order is that of a message. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  smtp: [],
  mail: ["smtp"],
  ports: ["meter", "mail", "smtp"],
  auth: ["ports", "smtp"],
  settings: ["auth", "ports", "smtp"],
  config: ["settings", "ports", "smtp"],
  meter: [],
  turns: [],
  deadline: ["ports"],
  recent: ["ports"],
  audit: ["ports"],
  logging: ["audit", "ports"],
  listening: ["ports"],
  inbound: ["auth", "deadline", "listening", "meter", "turns", "ports", "mail", "smtp"],
  intake: ["ports", "mail", "smtp"],
  store: ["meter", "ports", "mail", "smtp"],
  queue: ["meter", "ports", "mail", "smtp"],
  outbound: ["auth", "deadline", "ports", "mail", "smtp"],
  http: ["audit", "deadline", "listening", "logging", "meter", "ports", "mail"],
  deno: ["audit", "logging", "meter", "ports"],
  notices: ["intake", "queue", "ports", "mail", "smtp"],
  signing: ["config", "intake", "turns", "ports", "mail", "smtp"],
  health: ["inbound", "intake", "queue", "recent", "signing", "ports"],
  relay: [
    "audit",
    "config",
    "health",
    "http",
    "inbound",
    "intake",
    "notices",
    "queue",
    "recent",
    "signing",
    "ports",
    "mail",
    "smtp",
  ],
  way_out: ["config", "outbound", "relay", "ports", "mail", "smtp"],
  thread: ["store", "deno"],
  server: ["inbound", "deno", "ports"],
  cli: ["relay", "way_out", "config", "settings", "auth", "store", "deno", "ports", "mail", "smtp"],
  main: ["cli", "deno"],
  mod: ["server", "inbound", "ports", "mail", "smtp"],
};

const problems: string[] = [];

for (const path of files(SOURCE)) {
  const text = Deno.readTextFileSync(path);
  const part = partOf(path);
  for (const { specifier, line } of importsOf(text)) {
    const at = `${path}:${line}`;
    if (specifier.startsWith("node:") && part !== "deno") {
      problems.push(`${at}: only src/deno/ imports ${specifier}`);
    }
    if (!specifier.startsWith(".")) {
      if (part === "smtp") problems.push(`${at}: smtp/ imports nothing, but here ${specifier}`);
      continue;
    }
    const target = new URL(specifier, `file:///${path}`).pathname.slice(1);
    if (!target.startsWith(`${SOURCE}/`)) continue;
    const other = partOf(target);
    if (MAY_IMPORT[part] === undefined) problems.push(`${at}: part ${part} has no rule here`);
    else if (other !== part && !MAY_IMPORT[part].includes(other)) {
      problems.push(`${at}: ${part} must not import ${other}`);
    }
  }
  for (const [i, line] of text.split("\n").entries()) {
    const at = `${path}:${i + 1}`;
    const code = line.replace(/^\s*(\*|\/\/|\/\*).*/, "");
    if (part !== "deno" && /\bDeno\./.test(code)) {
      problems.push(`${at}: only src/deno/ touches the runtime`);
    }
    if (/Deno\.env\b/.test(code) && path !== `${SOURCE}/deno/environment.ts`) {
      problems.push(`${at}: the environment is read for config.ts only`);
    }
    for (const [citation] of line.matchAll(/\brfc.{0,24}/gi)) {
      // `rfc822` is a word of the protocol.
      if (/^(RFC [1-9][0-9]{2,4}(?![0-9])|rfc822\b)/.test(citation) === false) {
        problems.push(`${at}: cite as "RFC 5321 §4.5.2", not "${citation}"`);
      }
      if (/^RFC [0-9]+,? (section|sec\.|chapter|§ )/i.test(citation)) {
        problems.push(`${at}: cite the section as "RFC 5321 §4.5.2", not "${citation}"`);
      }
    }
  }
  const lines = text.split("\n").length - 1;
  if (lines > MOST_LINES) problems.push(`${path}: ${lines} lines, more than ${MOST_LINES}`);
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) Deno.exit(1);

function* files(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* files(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

/** `src/smtp/reply.ts` is of `smtp`, `src/relay.ts` of `relay`. */
function partOf(path: string): string {
  return path.split("/")[1].replace(/\.ts$/, "");
}

function* importsOf(text: string): Generator<{ specifier: string; line: number }> {
  const pattern =
    /^(?:import|export)\s(?:[\w*{}\s,]+?\sfrom\s)?\s*"([^"\n]+)"|\bimport\(\s*"([^"\n]+)"/gm;
  for (const match of text.matchAll(pattern)) {
    const line = text.slice(0, match.index + match[0].length).split("\n").length;
    yield { specifier: match[1] ?? match[2], line };
  }
}
