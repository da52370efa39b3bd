/** Files that stay open: what is written over them, and the place they have on the disk. */

import assert from "node:assert/strict";
import { disk } from "../../src/deno/files.ts";

async function withFile(run: (path: string) => void): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    run(path);
  } finally {
    await Deno.remove(path);
  }
}

const octets = (...values: number[]) => Uint8Array.from(values);

Deno.test("place that is reserved has no holes, and the next is written at its beginning", () =>
  withFile((path) => {
    const file = disk.files.open(path);
    try {
      file.write(octets(1, 2, 3));
      file.reserve(1024 * 1024);
      // In units of 512 octets, whatever those of the file system are.
      assert.ok(Deno.statSync(path).blocks! * 512 >= 1024 * 1024);
      file.write(octets(4, 5));
      assert.deepEqual(file.part(0, new Uint8Array(8)), octets(1, 2, 3, 4, 5, 0, 0, 0));
      assert.equal(Deno.statSync(path).size, 3 + 1024 * 1024);
      file.rewind();
      file.write(octets(6));
      assert.deepEqual(file.part(0, new Uint8Array(4)), octets(6, 2, 3, 4));
      file.empty();
      assert.equal(Deno.statSync(path).size, 0);
    } finally {
      file.close();
    }
  }));
