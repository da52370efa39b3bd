/** What a mutant is: a defence taken out, and the tests that must miss it. */

export interface Mutant {
  /** Of the table of faults, or of features. */
  readonly row: string;
  readonly what: string;
  readonly file: string;
  /** Stands in the file just once. */
  readonly find: string;
  readonly put: string;
  readonly tests: readonly string[];
}

export const fault = (name: string) => [`tests/faults/${name}_test.ts`];
