/** Workers of this runtime as threads that are asked questions. */

/// <reference lib="deno.worker" />

import { type Rest, type Thread, ThreadEndedError } from "../ports/thread.ts";

/** What a worker sends back for each question, in their order. */
type Told = { readonly answer: unknown } | { readonly failure: string };

/** What a thread needs to begin, and some for listeners that accept one more meanwhile. */
const RESERVED = 12;

/**
 * Keeps descriptors for a thread that is started later, of a folder that can be read. Without any
 * the runtime does not refuse to start it, but ends the whole process.
 */
export function reserve(folder: string): () => void {
  const kept: Deno.FsFile[] = [];
  try {
    while (kept.length < RESERVED) kept.push(Deno.openSync(folder));
  } catch {
    // There are none, or it is no system where a folder can be opened.
  }
  return () => {
    for (const file of kept.splice(0)) file.close();
  };
}

const beginning = new Set<Promise<void>>();

/** Until the threads have begun that were just started: connections would take what they need. */
export const threadsBegun = (): Promise<unknown> | undefined =>
  beginning.size === 0 ? undefined : Promise.all(beginning);

/**
 * `release` gives it what was reserved, at the moment that it begins. It is to be asked something
 * at once: it has begun when it answers.
 */
export function startThread<Question, Answer>(
  name: string,
  release: () => void = () => {},
): Thread<Question, Answer> {
  release();
  const script = new URL("../thread.ts", import.meta.url);
  const worker = new Worker(script, { type: "module", name });
  const begun = Promise.withResolvers<void>();
  beginning.add(begun.promise);
  void begun.promise.then(() => beginning.delete(begun.promise));
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
      // What cannot be asked must not wait for an answer: it would take that of the next.
      worker.postMessage(question, given as ArrayBuffer[]);
      const asked = Promise.withResolvers<Answer>();
      waiting.push(asked);
      return asked.promise;
    },
    end() {
      worker.terminate();
      end(new ThreadEndedError(`thread ${name} ended: it was told to`));
    },
  };
}

const nothing = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
/** In milliseconds; the system makes more of it. */
const REST = 0.02;

/** Others may be kept from the processor for so long. */
const LONGEST_WORK = 0.3;
let restedAt = 0;

/** In a worker: nobody ever calls it back sooner. */
export const rest: Rest = () => {
  if (performance.now() - restedAt < LONGEST_WORK) return;
  Atomics.wait(nothing, 0, 0, REST);
  restedAt = performance.now();
};

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
