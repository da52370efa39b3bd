/** Whether all is well, as those who look after a daemon ask it. */

/** One thing that must be well for mail to flow, or should be. */
export interface Check {
  readonly name: string;
  /** `failing`: mail does not flow; `warning`: somebody should look. */
  readonly state: "ok" | "warning" | "failing";
  readonly detail?: string;
}
