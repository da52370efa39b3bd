/**
 * Names, by the runtime's resolver. It answers alike where there is no such name, no such record,
 * or a server that failed: before "there is none" is believed, the server is asked once more for
 * the code of its answer (RFC 1035 §4.1.1), over UDP, and over TCP where that was cut.
 *
 * Promises: no answer takes longer than its time; what failed is `unknown`, never `none`.
 */

import { Buffer } from "node:buffer";
import { getServers } from "node:dns";
import dnsPacket from "dns-packet";
import type { Answer, Dns, Mx } from "../ports/dns.ts";

/** Where to ask; absent: where the system does. */
export interface DnsServer {
  readonly host: string;
  readonly port: number | undefined;
}

/** What is used of a packet; the package has no types of its own. */
interface Packet {
  readonly type: "query" | "response";
  readonly id: number;
  readonly flags?: number;
  readonly flag_tc?: boolean;
  readonly rcode?: string;
  readonly questions: readonly { readonly type: string; readonly name: string }[];
  readonly answers?: readonly Resource[];
  readonly authorities?: readonly Resource[];
}

interface Resource {
  readonly type: string;
  readonly name: string;
  /** Of a CNAME: the name in its place. */
  readonly data?: unknown;
}

const { encode, decode } = dnsPacket as unknown as {
  encode(packet: Packet): Uint8Array;
  decode(octets: Buffer): Packet;
};

type Type = "MX" | "A" | "AAAA" | "TXT";

/** Milliseconds. */
export interface Times {
  /** The resolver asks again by itself meanwhile. */
  readonly lookUp: number;
  /** Of one question of ours, to one server; twice over UDP. */
  readonly udp: number;
  readonly tcp: number;
}

const TIMES: Times = { lookUp: 15_000, udp: 3_000, tcp: 6_000 };
const PORT = 53;

export function dnsOf(given: readonly DnsServer[] | undefined, times: Times = TIMES): Dns {
  const servers: Servers = { given, times };
  return {
    async mx(name) {
      const answer = await ask<{ preference: number; exchange: string }>(name, "MX", servers);
      return mapped(answer, ({ preference, exchange }): Mx => ({
        preference,
        host: exchange.replace(/\.$/, ""),
      }));
    },
    addresses: (name, family) => ask(name, family === "ipv4" ? "A" : "AAAA", servers),
    async texts(name) {
      return mapped(await ask<string[]>(name, "TXT", servers), (parts) => parts.join(""));
    },
  };
}

function mapped<T, U>(answer: Answer<T>, map: (record: T) => U): Answer<U> {
  return answer.kind === "found" ? { kind: "found", records: answer.records.map(map) } : answer;
}

interface Servers {
  readonly given: readonly DnsServer[] | undefined;
  readonly times: Times;
}

/** A trailing dot: no search list of the system is tried. */
const whole = (name: string) => name.endsWith(".") ? name : `${name}.`;

async function ask<T>(
  name: string,
  type: Type,
  servers: Servers,
): Promise<Answer<T>> {
  let reason = "";
  for (const server of servers.given ?? [undefined]) {
    const options = server && { nameServer: { ipAddr: server.host, port: server.port ?? PORT } };
    try {
      // A signal would cut its time to two seconds: a timer of ours runs beside it.
      const records = await inTime(resolve(whole(name), type, options), servers.times.lookUp);
      return records.length > 0 ? { kind: "found", records: records as T[] } : { kind: "none" };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return await askForCode(name, type, servers);
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  return { kind: "unknown", reason };
}

type Resolve = (name: string, type: Type, options?: object) => Promise<readonly unknown[]>;
const resolve = Deno.resolveDns as unknown as Resolve;

function inTime<T>(work: Promise<T>, time: number): Promise<T> {
  return new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error("no answer in time")), time);
    work.then(done, failed).finally(() => clearTimeout(timer));
  });
}

/** Names in the place of others that are followed. */
const MOST_ALIASES = 8;

async function askForCode<T>(
  name: string,
  type: Type,
  servers: Servers,
  aliases = 0,
): Promise<Answer<T>> {
  const { given, times } = servers;
  let reason = "no name server is known";
  for (const { host, port = PORT } of given ?? systemServers()) {
    const question: Packet = {
      type: "query",
      id: crypto.getRandomValues(new Uint16Array(1))[0],
      // Recursion is desired.
      flags: 0x100,
      questions: [{ type, name: name.replace(/\.$/, "") }],
    };
    try {
      const answer = await overUdp(host, port, question, times.udp) ??
        await overTcp(host, port, question, times.tcp);
      const code = answer.rcode ?? "SERVFAIL";
      const alias = aliasIn(answer, name);
      if (code === "NXDOMAIN") return { kind: "nonexistent" };
      if (code !== "NOERROR") reason = `name server answered ${code}`;
      // There are some, though the resolver found none: it is not for us to judge.
      else if ((answer.answers ?? []).some((record) => record.type === type)) {
        reason = "answers of the name server differ";
      } else if (alias !== undefined) {
        // Not every server looks for itself what becomes of the other name.
        if (aliases === MOST_ALIASES) return { kind: "unknown", reason: "too many aliases" };
        return await askForCode(alias, type, servers, aliases + 1);
      } else if (isReferral(answer)) reason = "name server refers to others";
      else return { kind: "none" };
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  return { kind: "unknown", reason };
}

/** The name at the end of the aliases that an answer gives. */
function aliasIn({ answers = [] }: Packet, name: string): string | undefined {
  const aliases = new Map(
    answers.filter(({ type }) => type === "CNAME")
      .map((record) => [record.name.toLowerCase(), String(record.data)]),
  );
  const first = name.replace(/\.$/, "").toLowerCase();
  let last = first;
  for (let i = 0; i < MOST_ALIASES; i++) last = aliases.get(last)?.toLowerCase() ?? last;
  return last === first ? undefined : last;
}

/** RFC 2308 §2.2: "none" has a SOA, or nothing; a referral has name servers alone. */
function isReferral({ authorities = [] }: Packet): boolean {
  const has = (wanted: string) => authorities.some(({ type }) => type === wanted);
  return has("NS") && !has("SOA");
}

function systemServers(): DnsServer[] {
  return [...new Set(getServers())].map((text) => {
    const [, host, port] = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(
      text.includes("[") || text.split(":").length === 2 ? text : `[${text}]`,
    )!;
    return { host, port: port === undefined ? undefined : Number(port) };
  });
}

/** Twice, since a datagram may be lost; `undefined` where the answer was cut. */
async function overUdp(
  host: string,
  port: number,
  question: Packet,
  time: number,
): Promise<Packet | undefined> {
  const hostname = host.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  try {
    const octets = new Uint8Array(encode(question));
    const to = { transport: "udp", hostname: host, port } as const;
    const send = () => {
      if (!isOver) socket.send(octets, to).catch(() => {});
    };
    send();
    timer = setTimeout(() => {
      send();
      timer = setTimeout(() => socket.close(), time);
    }, time);
    for (;;) {
      const [received, from] = await socket.receive();
      const answer = answerTo(question, Buffer.from(received));
      const isFromServer = from.transport === "udp" && from.port === port;
      if (answer === undefined || !isFromServer) continue;
      return answer.flag_tc ? undefined : answer;
    }
  } catch (error) {
    if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
      throw new Error("name server does not answer");
    }
    throw error;
  } finally {
    isOver = true;
    clearTimeout(timer);
    try {
      socket.close();
    } catch {
      // The timer has closed it.
    }
  }
}

/** `undefined` for what answers something else. */
function answerTo(question: Packet, octets: Buffer): Packet | undefined {
  try {
    const answer = decode(octets);
    const [asked] = question.questions;
    const [repeated] = answer.questions;
    const isOurs = answer.id === question.id && answer.type === "response" &&
      repeated?.type === asked.type && repeated.name.toLowerCase() === asked.name.toLowerCase();
    return isOurs ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** RFC 1035 §4.2.2: two octets of length stand in front. */
async function overTcp(
  hostname: string,
  port: number,
  question: Packet,
  time: number,
): Promise<Packet> {
  const connection = await Deno.connect({ hostname, port });
  const timer = setTimeout(() => connection.close(), time);
  try {
    const octets = new Uint8Array(encode(question));
    const framed = new Uint8Array(octets.length + 2);
    new DataView(framed.buffer).setUint16(0, octets.length);
    framed.set(octets, 2);
    for (let rest = framed; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
    const length = new DataView((await exactly(connection, 2)).buffer).getUint16(0);
    const answer = answerTo(question, Buffer.from(await exactly(connection, length)));
    if (answer === undefined) throw new Error("name server answers something else");
    return answer;
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // The timer has closed it.
    }
  }
}

async function exactly(connection: Deno.TcpConn, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const octets = new Uint8Array(length);
  for (let have = 0; have < length;) {
    const count = await connection.read(octets.subarray(have));
    if (count === null) throw new Error("name server closed the connection");
    have += count;
  }
  return octets;
}
