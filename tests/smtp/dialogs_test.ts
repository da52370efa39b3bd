/** The dialogues on the pure session: whole, and cut in every way they can be cut. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Dialog, heard, readDialogs } from "../dialogs/dialog.ts";
import { Driver } from "../fakes/driver.ts";

type Octets = Uint8Array<ArrayBuffer>;

/** What is heard in each turn when its octets come in the pieces that `cut` makes. */
function play(dialog: Dialog, cut: (octets: Octets) => Iterable<Octets>) {
  const driver = new Driver(dialog.rules);
  const turns = dialog.turns.map(({ send }, turn) => {
    let said = turn === 0 ? driver.open() : "";
    for (const piece of cut(send)) said += driver.send(piece);
    return heard(said);
  });
  return { turns, closed: driver.session.state.at === "closed", messages: driver.messages };
}

/** The pieces share one buffer, as successive reads of a socket do. */
function* cutAt(octets: Octets, places: readonly number[]): Generator<Octets> {
  const buffer = new Uint8Array(octets.length);
  let from = 0;
  for (const to of [...places, octets.length]) {
    if (to <= from || to > octets.length) continue;
    buffer.fill(0xff);
    buffer.set(octets.subarray(from, to));
    yield buffer.subarray(0, to - from);
    from = to;
  }
}

for (const dialog of readDialogs()) {
  const expected = dialog.turns.map(({ expect }) => expect);
  const uncut = play(dialog, (octets) => [octets]);

  Deno.test(`dialogue ${dialog.name}`, () => {
    assert.deepEqual(uncut.turns, expected);
    assert.equal(uncut.closed, dialog.closes);
  });

  if (dialog.together) continue;

  Deno.test(`P3 dialogue ${dialog.name}: the same replies wherever it is cut`, () => {
    const longest = Math.max(...dialog.turns.map(({ send }) => send.length));
    const stride = Math.ceil(longest / 2000);
    for (let place = 1; place < longest; place += stride) {
      assert.deepEqual(play(dialog, (octets) => cutAt(octets, [place])), uncut, `cut at ${place}`);
    }
    const singly = play(dialog, (octets) => cutAt(octets, [...octets.keys()]));
    assert.deepEqual(singly, uncut, "octet by octet");
  });

  Deno.test(`P3 dialogue ${dialog.name}: the same replies however it is cut`, () => {
    const places = fc.array(fc.nat(300), { maxLength: 20 }).map((all) =>
      all.toSorted((a, b) => a - b)
    );
    fc.assert(
      fc.property(places, (places) => {
        assert.deepEqual(play(dialog, (octets) => cutAt(octets, places)), uncut);
      }),
      { numRuns: 50 },
    );
  });
}
