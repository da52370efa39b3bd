/** The settings as documents: `.env.example` and the table of the README. */

import type { Setting } from "./setting.ts";

type Table = Readonly<Record<string, Setting<unknown>>>;

/** A file to be copied to `.env`: every setting at its default, none of them in force. */
export function exampleFile(table: Table): string {
  const rows = Object.values(table).map((setting) => {
    const about = [setting.meaning.replaceAll("`", ""), ...notes(setting)].join("; ");
    const value = setting.standardShown === undefined ? setting.standard : "";
    const shown = setting.standardShown === undefined
      ? ""
      : ` (default: ${setting.standardShown.replaceAll("`", "")})`;
    return `# ${about}${shown}\n#${setting.name}=${quoted(value)}\n`;
  });
  return EXAMPLE_HEAD + rows.join("\n");
}

const EXAMPLE_HEAD =
  `# The settings of Dinopost, each at its default. Copy this file to .env, and uncomment what
# shall be otherwise; the environment wins over this file. Empty means unset. Durations: 90s,
# 15m, 4h, 5d. Sizes: 500KB, 10MiB. A secret may be in a file that <NAME>_FILE names.

`;

/** The rows of a Markdown table. */
export function settingsTable(table: Table): string {
  const rows = Object.values(table).map((setting) => {
    const standard = setting.standardShown ??
      (setting.standard === "" ? "unset" : `\`${setting.standard}\``);
    const about = [setting.meaning, ...notes(setting)].join("; ");
    return `| \`${setting.name}\` | ${standard} | ${about} |`;
  });
  return ["| name | default | meaning |", "| --- | --- | --- |", ...rows].join("\n");
}

function notes({ secret, later }: Setting<unknown>): string[] {
  return [...(secret ? ["or as a file: _FILE"] : []), ...(later ? ["not yet"] : [])];
}

function quoted(value: string): string {
  return value.includes(" ") ? `"${value}"` : value;
}
