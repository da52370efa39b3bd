/** A delivery that does what the test says. */

import type { Outcome } from "../../src/mail/outcome.ts";
import type { Delivery } from "../../src/ports/delivery.ts";
import type { Claim } from "../../src/ports/store.ts";
import type { Content } from "../../src/smtp/content.ts";

/** One outcome for all recipients, or what the delivery is to wait for, or break with. */
export type Script = (
  claim: Claim,
  content: () => Promise<Content>,
  signal: AbortSignal,
) => Outcome | Promise<Outcome>;

export class ScriptedDelivery implements Delivery {
  readonly tried: Claim[] = [];
  readonly #script: Script;
  readonly #waiting = new Set<() => void>();
  underway = 0;
  mostUnderway = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  async deliver(claim: Claim, content: () => Promise<Content>, signal: AbortSignal) {
    this.tried.push(claim);
    this.mostUnderway = Math.max(this.mostUnderway, ++this.underway);
    for (const look of this.#waiting) look();
    try {
      const outcome = await this.#script(claim, content, signal);
      return claim.recipients.map(() => outcome);
    } finally {
      this.underway--;
    }
  }

  /** Resolves once this holds, looked at whenever something is tried. */
  async until(holds: (tried: readonly Claim[]) => boolean): Promise<void> {
    while (!holds(this.tried)) {
      await new Promise<void>((resolve) => {
        const look = () => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
  }
}
