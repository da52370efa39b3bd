/**
 * Figures as Prometheus reads them. It is loaded when somebody asks for them first: most never do.
 */

// The whole of the package has much that is not needed here, and takes its time to load.
import PromRegistry from "prom-client/lib/registry.js";
import type { Family } from "./figures.ts";

/** What is used of the package, whose inner modules have no types. */
interface Registry {
  registerMetric(metric: { readonly name: string; get(): Promise<Family> }): void;
  metrics(): Promise<string>;
}

export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export function asText(families: readonly Family[]): Promise<string> {
  const registry = new PromRegistry() as Registry;
  for (const family of families) {
    registry.registerMetric({ name: family.name, get: () => Promise.resolve(family) });
  }
  return registry.metrics();
}
