/** A text that outlives the process; it is small, and replaced as a whole. */
export interface Keepsake {
  /** `undefined` where there is none yet. Throws where it cannot be read. */
  read(): string | undefined;
  /** Resolves when it is stable; what was there before stays where that fails. */
  write(text: string): Promise<void>;
}
