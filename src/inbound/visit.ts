/**
 * One client, from when its connection is accepted until it is closed: who it is, whether it
 * may stay, and what its session asks.
 *
 * Promises: however the visit ends, its connection is closed and its place is free again; a
 * handshake, and the header of a proxy, have an absolute deadline.
 */

import type { Client, Envelope } from "../mail/envelope.ts";
import type { Handler } from "../mail/handler.ts";
import { CHANCE, newId } from "../mail/id.ts";
import {
  type Connection,
  fieldsOf,
  type LazyLogFields,
  type LogFields,
  type LogLevel,
  type World,
} from "../ports.ts";
import { HandshakeError, type SecureConnection } from "../ports/tls.ts";
import { format } from "../smtp/address.ts";
import { isFinal, type Reply } from "../smtp/reply.ts";
import * as replies from "../smtp/replies.ts";
import type { Exchange } from "../smtp/sasl.ts";
import { Session } from "../smtp/session.ts";
import type { Mail, Peer, State } from "../smtp/state.ts";
import type { Claim } from "../smtp/xclient.ts";
import { isAmong, plain } from "./access.ts";
import type { Admission, Place } from "./admission.ts";
import type { Answer } from "./authentication.ts";
import { Conversation } from "./conversation.ts";
import type { Host } from "./host.ts";
import { Deadline } from "../deadline.ts";
import { type Observed, observerOf } from "./observer.ts";
import { check, type Options, type Refusal, rulesOf } from "./options.ts";
import { readProxyHeader } from "./proxy_header.ts";

/** What the server is to its visits. */
export interface House {
  /** As they are now. */
  readonly options: Options;
  readonly world: World;
  readonly admission: Admission;
  readonly isServing: boolean;
  handle: Handler;
  failed(error: unknown, about?: LogFields): void;
}

export class Visit implements Host, Observed {
  readonly number: number;
  readonly #house: House;
  readonly #connection: Connection;
  /** Of the peer of the connection: a proxy, if it is one. */
  readonly #peer: string;
  /** For whom it speaks; that it says so in front may be demanded of a proxy. */
  address: string;
  #port: number;
  id: string | undefined;
  readonly #since: number;
  #place: Place | undefined;
  #conversation: Conversation | undefined;

  constructor(number: number, connection: Connection, house: House) {
    this.number = number;
    this.#connection = connection;
    this.#house = house;
    this.#since = house.world.clock.now();
    this.#port = connection.remoteAddr.port;
    this.#peer = this.address = plain(connection.remoteAddr.hostname);
  }

  /** Never rejects. */
  async run({ implicitTls }: { implicitTls: boolean }): Promise<void> {
    try {
      this.#note(`connected ${this.address} port ${this.#port}`);
      this.meter.sessions.value++;
      this.#tell("client connected", { port: this.#port });
      const { options, isServing } = this.#house;
      let connection: Connection | undefined = this.#connection;
      if (options.proxyProtocol && this.#isProxy) connection = await this.#behindProxy();
      if (connection === undefined) return;
      if (isServing) this.#place = this.#house.admission.enter(this.address, options);
      const refusal = this.#place === undefined
        ? replies.stopping(options.hostname)
        : this.#place.refusal;
      if (implicitTls) {
        // Whoever comes too much is not worth a handshake.
        if (refusal !== undefined && "code" in refusal && refusal.code < 500) return;
        connection = await this.#inTime((within) => this.secure(within), connection);
        if (connection === undefined) return;
      }
      const session = new Session(rulesOf(this.#house.options, this.#isProxy), observerOf(this));
      this.#conversation = new Conversation(connection, session, this);
      await this.#conversation.run(refusal);
    } catch (error) {
      this.failed(error);
    } finally {
      // A conversation closes what it was given.
      if (this.#conversation === undefined) this.close();
      this.#note("disconnected");
      this.#tell("client disconnected", {});
      this.#place?.leave();
    }
  }

  stop({ now }: { now: boolean }): void {
    // Who has not begun to talk has nothing to lose.
    if (this.#conversation === undefined) this.close();
    else this.#conversation.stop({ now });
  }

  close(): void {
    try {
      if (this.#conversation === undefined) this.#connection.close();
      else this.#conversation.close();
    } catch {
      // It is closed already.
    }
  }

  get clock() {
    return this.#house.world.clock;
  }

  get log() {
    return this.#house.world.log;
  }

  get meter() {
    return this.#house.world.meter;
  }

  get audit() {
    return this.#house.options.audit;
  }

  get times() {
    return this.#house.options;
  }

  get #isProxy(): boolean {
    const { proxies } = this.#house.options;
    return proxies !== undefined && isAmong(this.#peer, proxies);
  }

  /** Closing the connection ends whatever waits for it. */
  async #inTime<T>(work: (connection: Connection) => Promise<T>, connection: Connection) {
    const deadline = new Deadline(this.clock, () => this.close());
    deadline.set(this.clock.monotonic() + this.#house.options.handshakeTimeout);
    try {
      return await work(connection);
    } finally {
      deadline.clear();
    }
  }

  async #behindProxy(): Promise<Connection | undefined> {
    const read = await this.#inTime(readProxyHeader, this.#connection);
    if (read === undefined) {
      this.log("warning", "proxy without a PROXY header", {
        session: this.number,
        proxy: this.#peer,
      });
      return undefined;
    }
    const { header: { source }, behind } = read;
    if (source !== undefined) {
      this.address = plain(source.hostname);
      this.#port = source.port;
      this.#note(`for ${this.address} port ${this.#port}`);
    }
    return behind;
  }

  async secure(connection: Connection): Promise<SecureConnection | undefined> {
    try {
      const context = await this.#house.options.tls!.context();
      const secure = await context.accept(connection);
      const { version, cipher } = secure.secured;
      this.#note(`${version} ${cipher}`);
      this.meter.handshakes.count(version === "TLSv1.2" ? version : "TLSv1.3");
      this.#tell("TLS with client", { version, cipher });
      return secure;
    } catch (error) {
      if (!(error instanceof HandshakeError)) this.failed(error);
      this.meter.handshakes.count("failed");
      const why = error instanceof Error ? error.message : String(error);
      this.#tell("no TLS with client", { error: why }, "info");
      return undefined;
    }
  }

  async authenticate(exchange: Exchange): Promise<Answer> {
    const { options } = this.#house;
    try {
      const answer = await options.auth!.answer(exchange, this.address);
      if ("user" in answer) this.#tell("client logged in", { user: answer.user });
      if (!("challenge" in answer)) {
        this.meter.logins.count("user" in answer ? "accepted" : "refused");
      }
      return answer;
    } catch (error) {
      this.failed(error);
      return { refusal: replies.loginNotJudged };
    }
  }

  /** The place is now that of the client for whom the proxy speaks. */
  claim({ address, port }: Claim): Refusal {
    if (address === undefined) return undefined;
    const { admission, options } = this.#house;
    this.#place?.leave();
    this.address = plain(address);
    this.#port = port ?? 0;
    this.#place = admission.enter(this.address, options);
    this.#note(`for ${this.address} port ${this.#port}`);
    return this.#place.refusal;
  }

  ask({ mail, question, peer }: State & { at: "asking" }): Refusal {
    if (question.about === "sender") this.#beginMessage(mail, peer);
    const { checks } = this.#house.options;
    if (checks === undefined) return undefined;
    const failed = (error: unknown) => {
      this.failed(error);
      return replies.failed;
    };
    try {
      const refusal = check(checks, mail, question, this.#client(peer));
      return refusal instanceof Promise ? refusal.catch(failed) : refusal;
    } catch (error) {
      return failed(error);
    }
  }

  async deliver({ peer, transaction, content }: State & { at: "committing" }): Promise<Reply> {
    const envelope: Envelope = {
      id: this.id!,
      session: this.number,
      client: this.#client(peer),
      ...transaction,
      content,
      receivedAt: this.clock.now(),
    };
    try {
      const reply = await this.#house.handle(envelope);
      if (isFinal(reply)) return reply;
      throw new TypeError(`handle message: ${JSON.stringify(reply)} is no reply`);
    } catch (error) {
      this.failed(error);
      return replies.notStored;
    }
  }

  #beginMessage({ sender }: Mail, { helo, tls, user }: Peer): void {
    const { clock, random } = this.#house.world;
    const chance = new Uint8Array(CHANCE);
    random.fill(chance);
    this.id = newId(clock.now(), chance);
    this.#tell("message begins", () => ({
      port: this.#port,
      connected: new Date(this.#since),
      helo,
      tls: tls?.version,
      user,
      from: `<${format(sender.mailbox)}>`,
    }));
  }

  #client({ helo = "", esmtp, tls, user, claim }: Peer): Client {
    const client = { address: this.address, port: this.#port, helo, esmtp };
    // Most have none of these.
    if (tls === undefined && user === undefined && claim?.name === undefined) return client;
    return { ...client, name: claim?.name, tls, user };
  }

  failed(error: unknown): void {
    this.#house.failed(error, { id: this.id, session: this.number });
  }

  #tell(event: string, fields: LazyLogFields, level: LogLevel = "debug"): void {
    this.log(level, event, () => {
      const { id, number: session, address: client } = this;
      return { id, session, client, ...fieldsOf(fields) };
    });
  }

  #note(text: string): void {
    try {
      if (this.audit?.wants.lines) this.audit.line(this.number, "*", text);
    } catch (error) {
      // An audit that fails must not leave a client uncounted.
      this.failed(error);
    }
  }
}
