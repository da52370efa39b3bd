/** B23: what is found to be wrong, and how long it is looked for. */

import assert from "node:assert/strict";
import { Health, type HealthParts } from "../../src/health.ts";
import type { StoreStats } from "../../src/ports/store.ts";
import { TurnedClock } from "../fakes/clock.ts";
import { FIGURES } from "../fakes/http_site.ts";

const MINUTE = 60_000;
const WELL: StoreStats = { ...FIGURES.store, age: 0, overdue: 0, lag: 0, untaken: 0 };

interface Ill {
  readonly troubles?: readonly string[];
  readonly stats?: Partial<StoreStats> | (() => Promise<StoreStats>);
  readonly probe?: () => Promise<void>;
  readonly free?: number;
  readonly files?: number;
  readonly stillFor?: number;
  readonly certificate?: string;
  readonly dkim?: string;
  readonly settings?: string;
}

class Patient {
  readonly clock = new TurnedClock();
  ill: Ill = {};
  probes = 0;
  readonly health: Health;

  constructor(without: Partial<Record<keyof HealthParts, undefined>> = {}) {
    const ill = () => this.ill;
    const probe = () => {
      this.probes++;
      return ill().probe?.() ?? Promise.resolve();
    };
    this.health = new Health({
      server: {
        get troubles() {
          return ill().troubles ?? [];
        },
      },
      store: {
        probe,
        space() {
          const { free = 1_000, files } = ill();
          if (free < 0) throw new Error("the folder is gone");
          return { free, files };
        },
        stats() {
          const { stats } = ill();
          return typeof stats === "function" ? stats() : Promise.resolve({ ...WELL, ...stats });
        },
      },
      dispatcher: {
        get stillFor() {
          return ill().stillFor ?? 0;
        },
      },
      certificates: {
        get trouble() {
          return ill().certificate;
        },
      },
      signatures: {
        get trouble() {
          return ill().dkim;
        },
      },
      clock: this.clock,
      minFree: () => 1_000,
      settingsTrouble: () => ill().settings,
      ...without,
    });
  }

  /** What is not well, looked at anew. */
  async found(ill: Ill): Promise<readonly string[]> {
    this.ill = ill;
    this.clock.turn(1_000);
    const checks = await this.health.checks();
    return checks.filter(({ state }) => state !== "ok")
      .map(({ name, state, detail }) => `${name} ${state}: ${detail}`);
  }
}

const never = () => new Promise<never>(() => {});

Deno.test("B23 where all is well each check says so, and no more", async () => {
  const { health } = new Patient();
  const names = [
    "listeners",
    "store",
    "space",
    "queue",
    "names",
    "certificate",
    "dkim",
    "settings",
  ];
  const well = names.map((name) => ({ name, state: "ok" }));
  assert.deepEqual(await health.checks(), well);
  const bare = new Patient({ dispatcher: undefined, certificates: undefined });
  assert.deepEqual(await bare.health.checks(), well);
});

const ILLS: Record<string, readonly [Ill, string]> = {
  "listeners that do not accept": [
    { troubles: ["port 25: no descriptors", "port 465: no descriptors"] },
    "listeners failing: port 25: no descriptors; port 465: no descriptors",
  ],
  "a store that cannot write": [
    { probe: () => Promise.reject(new Error("disk I/O error")) },
    "store failing: disk I/O error",
  ],
  "no room": [
    { free: 999 },
    "space failing: 999 octets are free, SMTP_MIN_FREE is 1000: mail is refused",
  ],
  "no room for more files": [
    { files: 15 },
    "space failing: 15 more files can be made, 16 must be: mail is refused",
  ],
  "a queue that cannot be read": [
    { stats: () => Promise.reject(new Error("malformed")) },
    "queue failing: malformed",
  ],
  "names that are far behind": [
    { stats: { lag: 80_001 } },
    "names warning: 80001 messages are without names",
  ],
  "a certificate that is no good": [
    { certificate: "it has ended" },
    "certificate warning: it has ended",
  ],
  "a key that cannot be read": [{ dkim: "no key" }, "dkim warning: no key"],
  "settings that cannot be read": [{ settings: "no size" }, "settings warning: no size"],
  "a disk that nobody can look at": [{ free: -1 }, "space failing: the folder is gone"],
  "a queue in which nothing moves": [
    { stillFor: 15 * MINUTE + 1, stats: { overdue: 16 * MINUTE } },
    "queue failing: nothing was begun or ended for 900 s, though something is due for 960 s",
  ],
};

for (const [what, [ill, told]] of Object.entries(ILLS)) {
  Deno.test(`B23 ${what}: ${told.split(":")[0]}, and well again once it is over`, async () => {
    const patient = new Patient();
    assert.deepEqual(await patient.found(ill), [told]);
    assert.deepEqual(await patient.found({}), []);
    assert.equal(patient.clock.timers, 0);
  });
}

const STILL: Record<string, Ill> = {
  "nothing is due": { stillFor: 60 * MINUTE },
  "what is due was due only now": { stillFor: 60 * MINUTE, stats: { overdue: 15 * MINUTE } },
  "something moves": { stillFor: 15 * MINUTE, stats: { overdue: 60 * MINUTE } },
  "just all names may be behind": { stats: { lag: 80_000 } },
  "just so much is free": { free: 1_000, files: 16 },
};

for (const [what, ill] of Object.entries(STILL)) {
  Deno.test(`B23 all is well where ${what}`, async () => {
    assert.deepEqual(await new Patient().found(ill), []);
  });
}

Deno.test("B23 where no mail leaves nothing need move", async () => {
  const held = new Patient({ dispatcher: undefined });
  assert.deepEqual(await held.found({ stats: { overdue: 60 * MINUTE } }), []);
});

for (
  const [what, ill, name] of [
    ["a write", { probe: never }, "store"],
    ["the queue", { stats: never }, "queue"],
  ] as const
) {
  Deno.test(`B23 ${what} is waited for five seconds, and no longer`, async () => {
    const patient = new Patient();
    let found: readonly string[] | undefined;
    void patient.found(ill).then((told) => found = told);
    await turns();
    patient.clock.turn(4_999);
    await turns();
    assert.equal(found, undefined);
    patient.clock.turn(1);
    await turns();
    assert.deepEqual(found, [`${name} failing: no answer within 5 s`]);
    assert.equal(patient.clock.timers, 0);
  });
}

/** Whatever waits for no more than promises goes on. */
const turns = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("B23 whoever asks often costs one write a second", async () => {
  const patient = new Patient();
  await patient.found({});
  for (let i = 0; i < 50; i++) {
    await Promise.all([patient.health.checks(), patient.health.checks()]);
  }
  assert.equal(patient.probes, 1);
  patient.clock.turn(999);
  await patient.health.checks();
  assert.equal(patient.probes, 1);
  patient.clock.turn(1);
  await patient.health.checks();
  assert.equal(patient.probes, 2);
});
