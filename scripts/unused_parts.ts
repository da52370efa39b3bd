/**
 * Parts of packages that nothing of ours loads, and that an executable shall not carry. One of
 * them must not be there: its samples overflow the stack of the Deno that compiles.
 */

/** Folders of packages; empty: the whole of it, which only unloaded parts of another want. */
const UNUSED: Readonly<Record<string, readonly string[]>> = {
  "@logtape/logtape": ["skills"],
  "@opentelemetry/api": [""],
  "bintrees": [""],
  "hono": ["dist/cjs", "dist/types"],
  "tdigest": [""],
};

/** Where they are on this machine; the packages are fetched, if they are not there. */
export async function unusedParts(entry: string): Promise<string[]> {
  await deno("cache", "--quiet", "--frozen", entry);
  const { npmCache } = JSON.parse(await deno("info", "--json"));
  const paths: string[] = [];
  for (const registry of folders(npmCache)) {
    for (const [name, parts] of Object.entries(UNUSED)) {
      for (const version of folders(`${registry}/${name}`)) {
        paths.push(...parts.map((part) => part === "" ? version : `${version}/${part}`));
      }
    }
  }
  return paths;
}

function folders(path: string): string[] {
  try {
    const entries = [...Deno.readDirSync(path)];
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => `${path}/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
  if (!success) throw new Error(`deno ${args[0]}: ${text(stderr).trim()}`);
  return text(stdout);
}
