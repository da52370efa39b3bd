/** The way out: hands messages to other servers. */

import type { Outcome } from "../mail/outcome.ts";
import type { Content } from "../smtp/content.ts";
import type { Claim } from "./store.ts";

export interface Delivery {
  /**
   * One outcome for each recipient of the claim, in their order; none for those who go with
   * another transaction, as soon as this one is written down: somebody was decided then. Rejects
   * only upon a fault of ours, or where the octets cannot be had. `signal`: it is time to come to
   * an end.
   */
  deliver(
    claim: Claim,
    content: () => Promise<Content>,
    signal: AbortSignal,
  ): Promise<readonly (Outcome | undefined)[]>;
}
