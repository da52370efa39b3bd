/** A thread of its own, which answers questions one after the other. */
export interface Thread<Question, Answer> {
  /** Buffers that are given over are gone here. Rejects where the thread has ended. */
  ask(question: Question, given?: readonly ArrayBuffer[]): Promise<Answer>;
  end(): void;
}
