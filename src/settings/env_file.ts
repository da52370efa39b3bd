/**
 * The lines of a settings file: `NAME=value`, as dotenv files are written everywhere.
 * Comments begin with `#`, at the start of a line or behind a space. A value may stand in
 * quotes, and then go over several lines; `\n` and the like mean something in double ones.
 *
 * What is no such line is told with its number: a setting that is passed over in silence is
 * worse than none.
 */

export interface EnvFile {
  readonly values: Readonly<Record<string, string>>;
  /** The numbers of lines that say nothing. */
  readonly unread: readonly number[];
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

export function parseEnvFile(text: string): EnvFile {
  const values: Record<string, string> = {};
  const unread: number[] = [];
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    if (/^\s*(#|$)/.test(lines[i])) continue;
    const assignment = ASSIGNMENT.exec(lines[i]);
    if (assignment === null) {
      unread.push(i + 1);
      continue;
    }
    const rest = lines[i].slice(assignment[0].length);
    const quoted = takeQuoted([rest, ...lines.slice(i + 1)]);
    values[assignment[1]] = quoted?.value ?? rest.replace(/(^|\s)#.*$/, "").trim();
    i += quoted?.further ?? 0;
  }
  return { values, unread };
}

/** A value in quotes that end somewhere, with how many further lines it takes. */
function takeQuoted(lines: readonly string[]): { value: string; further: number } | undefined {
  const quote = lines[0][0];
  if (quote !== '"' && quote !== "'" && quote !== "`") return undefined;
  let value = "";
  for (const [further, line] of lines.entries()) {
    for (let i = further === 0 ? 1 : 0; i < line.length; i++) {
      if (line[i] === quote) return { value, further };
      if (quote === '"' && line[i] === "\\" && i + 1 < line.length) {
        i++;
        value += ESCAPES[line[i]] ?? line[i];
      } else value += line[i];
    }
    value += "\n";
  }
  return undefined;
}
