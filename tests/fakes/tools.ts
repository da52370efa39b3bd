/**
 * Programs of others that tests talk to. On a user's machine a test whose program is missing
 * is skipped by name; in CI it fails.
 */

const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Where a program is, if it is anywhere. */
export function find(program: string): string | undefined {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), ...FOLDERS];
  return folders.map((folder) => `${folder}/${program}`).find(isFile);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A test that needs a program, and gets the path of it. */
export function testWith(
  program: string,
  name: string,
  run: (path: string) => void | Promise<void>,
): void {
  const path = find(program);
  if (path !== undefined) Deno.test(name, () => run(path));
  else if (Deno.env.get("CI") === undefined) {
    Deno.test({ name: `${name} (skipped: ${program} is not installed)`, ignore: true, fn() {} });
  } else {
    Deno.test(name, () => {
      throw new Error(`${program} is not installed`);
    });
  }
}

/** The same of what only root may do: to mount, to trace, to start a mail system. */
export function testAsRoot(
  program: string,
  name: string,
  run: (path: string) => void | Promise<void>,
): void {
  if (Deno.build.os === "linux" && Deno.uid() === 0) testWith(program, name, run);
  else Deno.test({ name: `${name} (skipped: not root)`, ignore: true, fn() {} });
}
