/** Files that are part of the program: beside the source, or in the executable. */

/** `name` as seen from the top of the project. */
export function embeddedText(name: string): string {
  return Deno.readTextFileSync(new URL(`../../${name}`, import.meta.url));
}
