/**
 * The way out: hands a message to the hosts of its destination, one after another, until all its
 * recipients are decided or all hosts were tried.
 *
 * Promises: what one host has taken is given to no other; a host that fails costs its connection
 * and a deferral, whatever it says; each attempt tells the host, and how it was protected.
 */

import type { Outcome } from "../mail/outcome.ts";
import type { Delivery } from "../ports/delivery.ts";
import type { Claim, ClaimedRecipient } from "../ports/store.ts";
import type { Consignment } from "../smtp/client.ts";
import type { Content } from "../smtp/content.ts";
import { BareNewlineError, beyondAscii } from "../smtp/transparency.ts";
import { HostFailure, OutboundConnection, type Surroundings, type Way } from "./connection.ts";
import { isOfHost, isTooMany, messageFailed, outcomeOf, unreachable } from "./failure.ts";
import { Pool } from "./pool.ts";
import type { Router } from "./route.ts";
import { Silence } from "./silence.ts";
import { placeOf, type Target } from "./target.ts";
import { SessionFailure } from "./wire.ts";

/** RFC 5321 §4.5.3.1.8: a server takes as many at least. */
const MOST_RECIPIENTS = 100;

interface Loaded {
  readonly content: Content;
  readonly eightBit: boolean;
  readonly utf8Header: boolean;
}

export class Outbound implements Delivery {
  readonly #router: Router;
  readonly #world: Surroundings;
  readonly #hostname: string;
  readonly #pool: Pool;
  readonly #silence: Silence;

  constructor(router: Router, hostname: string, world: Surroundings) {
    this.#router = router;
    this.#hostname = hostname;
    this.#world = world;
    this.#pool = new Pool(world.clock);
    this.#silence = new Silence(world.clock);
  }

  close(): void {
    this.#pool.close();
  }

  async deliver(
    claim: Claim,
    content: () => Promise<Content>,
    signal: AbortSignal,
  ): Promise<readonly (Outcome | undefined)[]> {
    const route = await this.#router.route(claim.domain, claim.sender.requireTls);
    if ("outcome" in route) return claim.recipients.map(() => route.outcome);
    // Not before somebody is there to have it.
    let loading: Promise<Loaded> | undefined;
    const attempt = new Attempts(claim, () => loading ??= content().then(loadedOf));
    for (const target of route.targets) {
      if (attempt.hasDecided || signal.aborted) break;
      await this.#tryTarget(target, attempt, signal);
    }
    return attempt.outcomes();
  }

  async #tryTarget(
    target: Target,
    attempt: Attempts,
    signal: AbortSignal,
  ): Promise<void> {
    const idle = this.#pool.take(target);
    // One that was idle may have been closed by then: a new one is tried.
    if (idle !== undefined && !await this.#handOver(idle, attempt, signal)) return;
    if (attempt.hasDecided) return;
    const connection = await this.#open(target, attempt, signal);
    if (connection !== undefined) await this.#handOver(connection, attempt, signal);
  }

  async #open(
    target: Target,
    attempt: Attempts,
    signal: AbortSignal,
  ): Promise<OutboundConnection | undefined> {
    const host = `${target.address} ${target.port}`;
    const silent = this.#silence.of(host);
    if (silent !== undefined) {
      const text = `${silent}; not tried again so soon`;
      attempt.note(unreachable(text, { host: placeOf(target) }, "4.4.1"));
      return undefined;
    }
    const { clock, log, meter } = this.#world;
    const { id } = attempt.claim;
    const start = clock.monotonic();
    let failure: string | undefined;
    try {
      const opened = await OutboundConnection.open(target, this.#hostname, this.#world, signal);
      const { tls, doubt } = opened.way;
      meter.connections.count(tls === undefined ? "none" : doubt ? "unverified" : "verified");
      log("debug", "session with host", { id, host: placeOf(target), tls: tls?.version });
      return opened;
    } catch (error) {
      if (!(error instanceof HostFailure)) throw error;
      const { message, status, command } = error;
      meter.connections.count("failed");
      log("debug", "no session with host", { id, host: placeOf(target), reason: message });
      attempt.note(unreachable(message, { host: placeOf(target), command }, status));
      if (command !== "STARTTLS") failure = message;
      if (command !== "STARTTLS" || !maySpeakPlainly(target)) return undefined;
    } finally {
      this.#silence.note(host, signal.aborted ? 0 : clock.monotonic() - start, failure);
    }
    return await this.#open({ ...target, policy: "none" }, attempt, signal);
  }

  /** Whether the session failed before the message was given. */
  async #handOver(
    connection: OutboundConnection,
    attempt: Attempts,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { host } = connection.way;
    try {
      const { content, ...traits } = await attempt.loaded();
      const { offers, way } = connection;
      const most = Math.min(offers.mostRecipients ?? MOST_RECIPIENTS, MOST_RECIPIENTS);
      const { sender, recipients } = attempt.claim;
      const some = recipients.slice(0, most);
      const consignment: Consignment = {
        sender,
        recipients: some,
        size: content.size,
        ...traits,
      };
      const decisions = await connection.handOver(consignment, content, signal);
      const outcomes = decisions.map(({ reply, command }) => outcomeOf(reply, command, host))
        .map((outcome) => ({ ...outcome, confirms: offers.dsn || undefined }));
      attempt.decide(some, outcomes, way);
      return false;
    } catch (error) {
      if (error instanceof BareNewlineError) {
        attempt.decideAll(messageFailed(error.message, "5.6.0"));
        return false;
      }
      if (!(error instanceof SessionFailure)) throw error;
      const outcome = unreachable(error.message, {
        host,
        command: connection.gaveContent ? "end of DATA" : undefined,
      });
      // It may have been taken: to try another host at once would double it.
      if (connection.gaveContent) attempt.decideAll(outcome);
      else attempt.note(outcome);
      return !connection.gaveContent;
    } finally {
      this.#pool.give(connection);
    }
  }
}

/** RFC 7435: what cannot be encrypted goes as it is, where that was allowed; never a password. */
function maySpeakPlainly({ policy, implicitTls, credentials }: Target): boolean {
  return policy === "opportunistic" && !implicitTls && credentials === undefined;
}

/** What has been decided of the recipients of a claim. */
class Attempts {
  readonly claim: Claim;
  readonly loaded: () => Promise<Loaded>;
  readonly #decided = new Map<ClaimedRecipient, Outcome>();
  /** Why the last host did not come to decide. */
  #last: Outcome | undefined;

  constructor(claim: Claim, loaded: () => Promise<Loaded>) {
    this.claim = claim;
    this.loaded = loaded;
  }

  /** Then what is left goes with another transaction, once this one is written down. */
  get hasDecided(): boolean {
    return this.#decided.size > 0;
  }

  note(outcome: Outcome): void {
    this.#last = outcome;
  }

  decide(
    recipients: readonly ClaimedRecipient[],
    outcomes: readonly Outcome[],
    { tls, doubt }: Way,
  ): void {
    // Who was one too many goes with the next transaction, if this one took somebody.
    const hasTaken = outcomes.some(({ kind }) => kind === "delivered");
    for (const [i, recipient] of recipients.entries()) {
      const outcome = { ...outcomes[i], ...(tls && { tls: { ...tls, doubt } }) };
      if (isOfHost(outcome)) this.#last = outcome;
      else if (!hasTaken || !isTooMany(outcome)) this.#decided.set(recipient, outcome);
    }
  }

  decideAll(outcome: Outcome): void {
    for (const recipient of this.claim.recipients) this.#decided.set(recipient, outcome);
  }

  outcomes(): (Outcome | undefined)[] {
    const last = this.hasDecided
      ? undefined
      : this.#last ?? unreachable("stopped before it was tried", {});
    return this.claim.recipients.map((recipient) => this.#decided.get(recipient) ?? last);
  }
}

function loadedOf(content: Content): Loaded {
  const { body, header } = beyondAscii(content);
  return { content, eightBit: body, utf8Header: header };
}
