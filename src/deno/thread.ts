/** Workers of this runtime as threads that are asked questions. */

/// <reference lib="deno.worker" />

import { type Thread, ThreadEndedError } from "../ports/thread.ts";

/** What a worker sends back for each question, in their order. */
type Told = { readonly answer: unknown } | { readonly failure: string };

/** What a thread needs to begin, and one for each listener that accepts one more meanwhile. */
const RESERVED = 16;

/**
 * Descriptors for a thread that is started later, of a folder that can be read. Without any the
 * runtime does not refuse to start it, but ends the whole process.
 */
export class Reserve {
  readonly #folder: string;
  readonly #kept: Deno.FsFile[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  fill(): void {
    try {
      while (this.#kept.length < RESERVED) this.#kept.push(Deno.openSync(this.#folder));
    } catch {
      // There are no more, or it is no system where a folder can be opened.
    }
  }

  release(): void {
    for (const file of this.#kept.splice(0)) file.close();
  }
}

const beginning = new Set<Promise<void>>();

/** Until the threads have begun that were just started: connections would take what they need. */
export const threadsBegun = (): Promise<unknown> | undefined =>
  beginning.size === 0 ? undefined : Promise.all(beginning);

/**
 * It gets what was reserved, and is to be asked something at once: it has begun when it answers.
 * Then as much is reserved for the next.
 */
export function startThread<Question, Answer>(
  name: string,
  reserve?: Reserve,
): Thread<Question, Answer> {
  reserve?.release();
  const script = new URL("../thread.ts", import.meta.url);
  const worker = new Worker(script, { type: "module", name });
  const begun = Promise.withResolvers<void>();
  beginning.add(begun.promise);
  void begun.promise.then(() => {
    beginning.delete(begun.promise);
    reserve?.fill();
  });
  const waiting: PromiseWithResolvers<Answer>[] = [];
  let ended: Error | undefined;
  const end = (error: Error) => {
    begun.resolve();
    ended = error;
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  worker.onmessage = ({ data }: MessageEvent<Told>) => {
    begun.resolve();
    const asked = waiting.shift()!;
    if ("answer" in data) asked.resolve(data.answer as Answer);
    else asked.reject(new Error(data.failure));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(new ThreadEndedError(`thread ${name} ended: ${event.message}`));
  };
  return {
    ask(question, given = []) {
      if (ended !== undefined) return Promise.reject(ended);
      const asked = Promise.withResolvers<Answer>();
      waiting.push(asked);
      worker.postMessage(question, given as ArrayBuffer[]);
      return asked.promise;
    },
    end() {
      worker.terminate();
      end(new ThreadEndedError(`thread ${name} ended: it was told to`));
    },
  };
}

/** In a worker: answers by the role that its name says. */
export function answerQuestions(
  roles: Readonly<Record<string, () => (question: unknown) => unknown>>,
): void {
  const answer = roles[self.name]();
  self.onmessage = ({ data }) => {
    let told: Told;
    try {
      told = { answer: answer(data) };
    } catch (error) {
      told = { failure: error instanceof Error ? error.message : String(error) };
    }
    self.postMessage(told);
  };
}
