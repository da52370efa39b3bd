/** Figures as Prometheus' own parser for Python reads them. */

import { find } from "./tools.ts";

export interface Sample {
  readonly family: string;
  readonly type: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const PACKAGE = "python3-prometheus-client";
const PARSER = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
read = []
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family.name
    for sample in family.samples:
        assert not isinstance(sample.value, str)
        read.append({"family": family.name, "type": family.type, "name": sample.name,
                     "labels": sample.labels, "value": sample.value})
json.dump(read, sys.stdout)
`;

/** The first of those on the path may have none of the system's packages. */
function python(): string | undefined {
  return [find("python3"), "/usr/bin/python3"].find((path) => path !== undefined && knows(path));
}

function knows(path: string): boolean {
  const args = ["-c", "import prometheus_client.parser"];
  try {
    return new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export type Parse = (text: string) => Promise<readonly Sample[]>;

/** Rejects what Prometheus would not take. */
const parserIn = (path: string): Parse => async (text) => {
  const child = new Deno.Command(path, {
    args: ["-c", PARSER],
    env: { PYTHONIOENCODING: "utf-8" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = new Response(text).body!.pipeTo(child.stdin);
  const [{ success, stdout, stderr }] = await Promise.all([child.output(), input]);
  const decoder = new TextDecoder();
  if (!success) throw new Error(`Prometheus cannot read it: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
};

/** A test of what the parser reads; on a user's machine it is skipped by name where it is missing. */
export function testWithFigures(name: string, run: (parse: Parse) => Promise<void>): void {
  const path = python();
  if (path === undefined && Deno.env.get("CI") === undefined) {
    Deno.test({ name: `${name} (skipped: ${PACKAGE} is not installed)`, ignore: true, fn() {} });
    return;
  }
  Deno.test(name, async () => {
    if (path === undefined) throw new Error(`${PACKAGE} is not installed`);
    await run(parserIn(path));
  });
}

/** The one sample of this name, with these labels. */
export function valueOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const found = samples.filter((sample) =>
    sample.name === name &&
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  if (found.length !== 1) throw new Error(`${found.length} samples of ${name}`);
  return found[0].value;
}

/** What makes a series one of its own. */
export const seriesOf = (samples: readonly Sample[]): string[] =>
  samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`).toSorted();
