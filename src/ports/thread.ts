/** A thread of its own, which answers questions one after the other. */
export interface Thread<Question, Answer> {
  /** Buffers that are given over are gone here. Rejects with a ThreadEndedError where it has. */
  ask(question: Question, given?: readonly ArrayBuffer[]): Promise<Answer>;
  end(): void;
}

/**
 * Lets go of the processor for a moment, unless whoever calls it has done so just before. Without
 * it he keeps others from it: a system may leave one who has just been woken behind him for
 * milliseconds, even where another processor has nothing to do.
 */
export type Rest = () => void;

/** The thread could not be started, or has broken; it answers nothing any more. */
export class ThreadEndedError extends Error {
  override name = "ThreadEndedError";
}
