/** What is answered where: a page is a route here, and what it shows comes from the site. */

import { type Context, Hono } from "hono";
import type { AuditLog } from "../audit.ts";
import type { Meter } from "../meter.ts";
import type { World } from "../ports.ts";
import type { Check } from "../ports/check.ts";
import { auditStream } from "./audit_stream.ts";
import { asVariables, families, type Figures } from "./figures.ts";
import { Guard, type GuardRules } from "./guard.ts";

/** What the pages show, and what can be switched. */
export interface Site {
  readonly meter: Meter;
  readonly audit: AuditLog;
  turnAudit(on: boolean): void;
  checks(): Promise<readonly Check[]>;
  figures(): Promise<Figures>;
}

interface Visitor {
  readonly Bindings: { readonly address: string };
  readonly Variables: { readonly trusted: boolean };
}

/** Readers of the audit log at one time. */
const MOST_READERS = 16;

const INDEX = `Dinopost

/healthz             OK; and the audit log, while it is on
/livez  /readyz      whether it lives, whether mail flows
/metrics             figures as JSON
/metrics/prometheus  figures for Prometheus
/api/audit           the audit log: PUT {"on": true}
`;

export type Pages = Hono<Visitor>;

export function pages(
  site: Site,
  rules: GuardRules,
  world: Pick<World, "clock" | "log">,
): Pages {
  const guard = new Guard(rules);
  const app = new Hono<Visitor>();
  let readers = 0;

  app.use(async (context, next) => {
    const verdict = guard.judge(context.req.raw, context.env.address);
    context.header("x-content-type-options", "nosniff");
    context.header("cache-control", "no-store");
    if ("status" in verdict) {
      if (verdict.status === 401) context.header("www-authenticate", 'Basic realm="Dinopost"');
      return context.text(`${verdict.why}\n`, verdict.status);
    }
    context.set("trusted", verdict.trusted);
    return await next();
  });

  app.get("/", (context) => context.text(INDEX));
  app.get("/livez", (context) => context.text("OK\n"));
  app.get("/readyz", async (context) => {
    const checks = await site.checks();
    const ready = checks.every(({ state }) => state !== "failing");
    // What is wrong is told to those who are to see to it.
    const shown = context.var.trusted ? checks : checks.map(({ name, state }) => ({ name, state }));
    return json(context, { ready, checks: shown }, ready ? 200 : 503);
  });
  app.get("/healthz", (context) => {
    const isPlain = !site.audit.on || !context.var.trusted || readers >= MOST_READERS ||
      context.req.method === "HEAD";
    if (isPlain) return context.text("OK\n");
    readers++;
    const { audit, meter } = site;
    const { clock } = world;
    const body = auditStream({ audit, meter, clock, closed: () => readers-- });
    return context.body(body, 200, { "content-type": "text/plain; charset=utf-8" });
  });
  app.get("/metrics", async (context) => {
    if (wantsText(context.req.header("accept"))) return await prometheus(context, site);
    return json(context, asVariables(families(site.meter, await site.figures())));
  });
  app.get("/metrics/prometheus", (context) => prometheus(context, site));

  app.use("/api/*", async (context, next) => {
    if (context.var.trusted) return await next();
    context.header("www-authenticate", 'Basic realm="Dinopost"');
    return context.text("open to this machine, or with the token\n", 401);
  });
  app.get("/api/audit", (context) => json(context, { on: site.audit.on }));
  app.put("/api/audit", async (context) => {
    const wish = await context.req.json().catch(() => undefined);
    if (typeof wish?.on !== "boolean") return context.text('wanted: {"on": true or false}\n', 400);
    site.turnAudit(wish.on);
    return json(context, { on: site.audit.on });
  });

  app.notFound((context) => context.text("no such page\n", 404));
  app.onError((error, context) => {
    const detail = error.stack ?? error.message;
    world.log("error", "page failed", { path: context.req.path, error: detail });
    return context.text("internal error\n", 500);
  });
  return app;
}

/** With the end of a line, for those who look at it on a terminal. */
function json(context: Context<Visitor>, value: unknown, status: 200 | 503 = 200): Response {
  return context.body(JSON.stringify(value) + "\n", status, { "content-type": "application/json" });
}

async function prometheus(context: Context<Visitor>, site: Site): Promise<Response> {
  const { asText, CONTENT_TYPE } = await import("./prometheus.ts");
  const text = await asText(families(site.meter, await site.figures()));
  return context.body(text, 200, { "content-type": CONTENT_TYPE });
}

/** Prometheus names the form it wants; whoever takes anything gets JSON. */
function wantsText(accept = ""): boolean {
  return /\b(?:application\/openmetrics-text|text\/plain)\b/i.test(accept) &&
    !/\bapplication\/json\b/i.test(accept);
}
