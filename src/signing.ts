/**
 * Signs what comes in, with the keys of its author's domain (RFC 6376): whose they are is decided
 * here, how it is done in `mail/dkim.ts`.
 *
 * Promises: a message is signed by every key of its domain, or not at all; what its domain has
 * signed before is left alone; keys are replaced all at once.
 */

import { type Config, type DkimKey, dkimKeys } from "./config.ts";
import type { Sign } from "./intake.ts";
import { authorDomain } from "./mail/author.ts";
import { comparable, isSignedBy, signatures, type Signer } from "./mail/dkim.ts";
import type { World } from "./ports.ts";
import type { Mailbox } from "./smtp/address.ts";
import type { Content } from "./smtp/content.ts";
import type { SigningKey } from "./ports/signing.ts";
import { Turns } from "./turns.ts";

interface Loaded {
  readonly selector: string;
  readonly key: SigningKey;
}

type Surroundings = Pick<
  World,
  "signing" | "clock" | "log" | "meter" | "processors" | "readText" | "namesIn"
>;

/** Domains without a key that are remembered, to be told of once. */
const MOST_TOLD = 1_000;

export class Signatures {
  readonly #world: Surroundings;
  /** By domain. */
  #keys: ReadonlyMap<string, readonly Loaded[]> = new Map();
  /** Of the one key: for the domain that is named, or for whoever sends. */
  #one: (Loaded & { readonly domain?: string }) | undefined;
  readonly #told = new Set<string>();
  /** Why the keys that serve are not those that were to be read. */
  trouble: string | undefined;

  #loading: Promise<void>;
  #hasNone = false;
  /**
   * One more than there are processors: none of them waits for the next, and more would only take
   * time from everything else.
   */
  readonly #turns: Turns;

  constructor(config: Config, world: Surroundings) {
    this.#world = world;
    this.#turns = new Turns({ atOnce: world.processors + 1, mostWaiting: Infinity });
    this.#loading = this.#load(config);
    // Whoever signs is told.
    this.#loading.catch(() => {});
  }

  /** Reads the keys again; such as cannot be used leave those of before in their place. */
  update(config: Config): void {
    const before = this.#loading;
    this.#hasNone = false;
    this.#loading = before.catch(() => {}).then(() => this.#load(config)).catch((error) => {
      this.trouble = String(error);
      this.#world.log("error", "DKIM keys not read, the old ones stay", { error: this.trouble });
      return before;
    });
    this.#loading.catch(() => {});
  }

  async #load(config: Config): Promise<void> {
    const { signing } = this.#world;
    const { one, ofDomains, problems } = dkimKeys(config, this.#world);
    if (problems.length > 0) throw new Error(problems.map(({ problem }) => problem).join("; "));
    const load = async <Key extends DkimKey>(key: Key) => ({
      ...key,
      key: await signing.key(key.pem),
    });
    const loaded = await Promise.all(ofDomains.map(load));
    this.#one = one && await load(one);
    this.#keys = Map.groupBy(loaded, ({ domain }) => comparable(domain));
    this.#hasNone = one === undefined && ofDomains.length === 0;
    this.#told.clear();
    this.trouble = undefined;
  }

  /** Rejects where it cannot be done now. */
  readonly sign: Sign = (content, sender) =>
    // Most have no keys, and need not wait for any.
    this.#hasNone ? "" : this.#sign(content, sender);

  async #sign(content: Content, sender: Mailbox | null): Promise<string> {
    await this.#loading;
    const { meter } = this.#world;
    if (this.#one === undefined && this.#keys.size === 0) return "";
    const author = authorDomain(content) ?? sender?.domain.toLowerCase();
    const domain = author === undefined ? undefined : comparable(author);
    const signers = this.#signersOf(domain);
    if (signers.length === 0) {
      this.#miss(domain ?? "(none)");
      return "";
    }
    const wanted = signers.filter((signer) => !isSignedBy(content, signer.domain));
    if (wanted.length === 0) {
      meter.signatures.count("signed before");
      return "";
    }
    const { clock, signing } = this.#world;
    try {
      const fields = await signatures(content, wanted, {
        sha256: () => signing.sha256(),
        pause: () => new Promise((resolve) => clock.timer(0, resolve)),
        now: clock.now(),
      });
      meter.signatures.count("signed");
      return fields;
    } catch (error) {
      meter.signatures.count("failed");
      throw error;
    }
  }

  #signersOf(author: string | undefined): Signer[] {
    const signers: Signer[] = [];
    if (author !== undefined) {
      const domain = ancestry(author).find((each) => this.#keys.has(each));
      for (const loaded of this.#keys.get(domain ?? "") ?? []) {
        signers.push(this.#signerOf(loaded, domain!));
      }
    }
    const one = this.#one;
    const domain = one?.domain ?? author;
    // A domain that has keys of its own needs no other.
    if (one !== undefined && domain !== undefined && signers.length === 0) {
      signers.push(this.#signerOf(one, comparable(domain)));
    }
    return signers;
  }

  #signerOf({ selector, key }: Loaded, domain: string): Signer {
    const { algorithm } = key;
    const isQuick = algorithm === "ed25519-sha256";
    const sign: Signer["sign"] = (octets) =>
      isQuick ? key.sign(octets) : this.#turns.take(() => key.sign(octets));
    return { domain, selector, algorithm, sign };
  }

  #miss(domain: string): void {
    this.#world.meter.signatures.count("no key");
    if (this.#told.has(domain) || this.#told.size >= MOST_TOLD) return;
    this.#told.add(domain);
    this.#world.log("warning", "mail of a domain without a key is not signed", { domain });
  }
}

/** A domain and those above it: whose key may sign for it (RFC 7489 §3.1.1). */
function ancestry(domain: string): string[] {
  const labels = domain.split(".");
  return labels.map((_, i) => labels.slice(i).join("."));
}
