/**
 * Counts the clients that are there, and says which of those that come may stay.
 *
 * Promises: clients that are too many, and those about whom names are still being looked up,
 * take no place from those who are served; a rule that fails turns away for now, never for good.
 */

import type { Reply } from "../smtp/reply.ts";
import * as replies from "../smtp/replies.ts";
import type { AccessRule, Verdict } from "./access.ts";
import type { Refusal } from "./options.ts";

export interface AdmissionRules {
  readonly maxClients: number;
  readonly maxClientsPerAddress: number;
  readonly access?: AccessRule;
}

/** A client's. */
export interface Place {
  refusal: Refusal;
  leave(): void;
}

export class Admission {
  readonly #failed: (error: unknown) => void;
  readonly #perAddress = new Map<string, number>();
  #present = 0;
  /** Those about whom names are being looked up. */
  readonly #waiting = new Set<Place>();

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Counts a client until it leaves, and says why it may not stay, or nothing. */
  enter(address: string, rules: AdmissionRules): Place {
    const served = this.#present - this.#waiting.size;
    const same = this.#perAddress.get(address) ?? 0;
    this.#present++;
    this.#perAddress.set(address, same + 1);
    let isThere = true;
    const place: Place = {
      refusal: undefined,
      leave: () => {
        this.#waiting.delete(place);
        if (isThere) this.#leave(address);
        isThere = false;
      },
    };
    const refusal = served >= rules.maxClients
      ? replies.tooManyClients
      : same >= rules.maxClientsPerAddress
      ? replies.tooManyFromAddress(address)
      : this.#judge(place, address, rules);
    // Whoever is to come again later goes at once, without so much as a handshake.
    const told = (refusal: Reply | undefined) => {
      if (refusal !== undefined && refusal.code < 500) place.leave();
      return refusal;
    };
    place.refusal = refusal instanceof Promise ? refusal.then(told) : told(refusal);
    return place;
  }

  #leave(address: string): void {
    this.#present--;
    const left = this.#perAddress.get(address)! - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  #judge(place: Place, address: string, { access, maxClients }: AdmissionRules): Refusal {
    const failed = (error: unknown): Verdict => {
      this.#failed(error);
      return "unknown";
    };
    let verdict: Verdict | Promise<Verdict>;
    try {
      verdict = access?.check(address) ?? "allowed";
    } catch (error) {
      verdict = failed(error);
    }
    if (!(verdict instanceof Promise)) return refusalFor(verdict, address);
    const judged = verdict.catch(failed);
    if (this.#waiting.size >= maxClients) return replies.tooManyClients;
    this.#waiting.add(place);
    return judged.then((verdict) => {
      this.#waiting.delete(place);
      const isFull = this.#present - this.#waiting.size > maxClients;
      return refusalFor(verdict, address) ?? (isFull ? replies.tooManyClients : undefined);
    });
  }
}

function refusalFor(verdict: Verdict, address: string): Reply | undefined {
  if (verdict === "refused") return replies.clientNotAllowed(address);
  return verdict === "unknown" ? replies.clientUnresolved(address) : undefined;
}
