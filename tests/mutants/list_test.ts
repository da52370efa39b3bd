import assert from "node:assert/strict";
import { mutants } from "./list.ts";

Deno.test("every defence that a mutant takes out stands just once in its file", () => {
  for (const { file, find, put, tests } of mutants) {
    const text = Deno.readTextFileSync(new URL(`../../${file}`, import.meta.url));
    assert.equal(text.split(find).length, 2, `${file}: ${find}`);
    assert.notEqual(find, put);
    for (const test of tests) Deno.statSync(new URL(`../../${test}`, import.meta.url));
  }
});
