/** What a command of the command line is. */

export interface Command {
  readonly name: string;
  /** For `help`. */
  readonly summary: string;
  /** The options it takes, each a word. */
  readonly options?: readonly string[];
  /** The exit status. */
  run(options: ReadonlySet<string>): number | Promise<number>;
}
