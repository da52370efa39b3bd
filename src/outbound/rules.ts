/** What the settings say of ways out: routes, the relay of all, and how they are to be secured. */

import type { Host, Policy } from "./target.ts";
import type { Rule } from "./route.ts";

/** As the settings give it. */
export interface TlsPolicies {
  readonly standard: string;
  readonly domains: ReadonlyMap<string, string>;
}

const SUBMISSION = 587;
const SUBMISSIONS = 465;

export type PolicyOf = (name: string) => Policy;

export function policyOf({ standard, domains }: TlsPolicies): PolicyOf {
  return (name) => (domains.get(name.toLowerCase()) ?? standard) as Policy;
}

/** `smtp[s]://user:password@host:port`; the host may be an address. */
export function hostOf(url: string, policy: PolicyOf, token?: () => string | undefined): Host {
  const { protocol, hostname, port, username, password } = new URL(url);
  const name = decodeURIComponent(hostname).replace(/^\[(.*)\]$/, "$1");
  const implicitTls = protocol === "smtps:";
  const user = decodeURIComponent(username);
  return {
    name,
    port: port === "" ? (implicitTls ? SUBMISSIONS : SUBMISSION) : Number(port),
    policy: policy(name),
    implicitTls,
    ...(user === "" ? {} : {
      credentials: password === "" && token !== undefined
        ? { user, token }
        : { user, password: decodeURIComponent(password) },
    }),
  };
}

export function ruleOf(value: string, policy: PolicyOf): Rule {
  return value === "mx" || value === "hold" || value === "reject"
    ? { kind: value }
    : { kind: "relay", host: hostOf(value, policy) };
}
