/** A database of SQL, as little of it as the store needs. Everything is done when a call returns. */

export type Value = string | number | null | Uint8Array;
export type Row = Readonly<Record<string, Value>>;

/** Row by row is not offered: the runtime ends that without a word where the database is damaged. */
export interface Statement {
  run(...values: Value[]): { readonly changes: number | bigint };
  get(...values: Value[]): Row | undefined;
  all(...values: Value[]): Row[];
}

export interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

/** What a failure of a database means to those who asked. */
export type DatabaseFailure = "full" | "disk" | "corrupt" | "locked" | "other";

export interface Databases {
  open(path: string, options?: { readonly readOnly?: boolean }): Database;
  failure(error: unknown): DatabaseFailure;
}
