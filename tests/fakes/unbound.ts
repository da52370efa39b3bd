/**
 * Unbound as the name server: a resolver with zones of its own, in the foreground, with a private
 * configuration. It may ask nobody: what is in none of its zones, or is delegated out of them, fails
 * as where no server of a domain answers, and no question leaves the machine.
 */

import { freePort, Program } from "./program.ts";

export interface Served {
  /** Zone files by their domains. Aliases in them are followed, as a resolver does. */
  readonly zones: Readonly<Record<string, string>>;
  /** More of the `server:` clause. */
  readonly lines?: readonly string[];
  /** On loopback. */
  readonly address?: string;
}

export class Unbound implements AsyncDisposable {
  readonly servers: readonly [{ readonly host: string; readonly port: number }];
  readonly #program: Program;

  private constructor(host: string, port: number, program: Program) {
    this.servers = [{ host, port }];
    this.#program = program;
  }

  /** Resolves once it answers. */
  static async start(program: string, served: Served): Promise<Unbound> {
    const { zones, lines = [], address = "127.0.0.1" } = served;
    const port = freePort();
    const control = freePort();
    const config = `
server:
  interface: ${address}
  port: ${port}
  access-control: ${address} allow
  username: ""
  chroot: ""
  directory: ""
  use-syslog: no
  verbosity: 0
  num-threads: 1
  module-config: "iterator"
  do-not-query-address: 0.0.0.0/0
  do-not-query-address: ::/0
  extended-statistics: yes
  ${lines.join("\n  ")}
remote-control:
  control-enable: yes
  control-interface: 127.0.0.1
  control-port: ${control}
  control-use-cert: no
${Object.keys(zones).map(zoneClause).join("")}`;
    const files = Object.entries(zones).map(([domain, text]) => [fileOf(domain), zone(text)]);
    // Its control listens last; the other may be told to have no TCP.
    const started = await Program.start({
      program,
      files: { "unbound.conf": config, ...Object.fromEntries(files) },
      args: () => ["-d", "-p", "-c", "unbound.conf"],
      port: control,
    });
    return new Unbound(address, port, started);
  }

  /** As SMTP_DNS_SERVERS has it. */
  get setting(): string {
    const [{ host, port }] = this.servers;
    return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  }

  /** How many questions came over TCP since it was started. */
  async overTcp(): Promise<number> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#program.port });
    await connection.write(new TextEncoder().encode("UBCT1 stats_noreset\n"));
    const said = await new Response(connection.readable).text();
    return Number(/^num\.query\.tcp=(\d+)$/m.exec(said)![1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}

const fileOf = (domain: string) => `${domain}.zone`;

const zoneClause = (domain: string) => `
auth-zone:
  name: "${domain}."
  zonefile: "${fileOf(domain)}"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
`;

function zone(text: string): string {
  const start = /\bSOA\b/.test(text) ? "" : "@ SOA ns hostmaster 1 60 60 60 60\n";
  return `$TTL 60\n${start}@ NS ns\nns A 127.0.0.1\n${text}\n`;
}
