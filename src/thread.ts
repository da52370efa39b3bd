/**
 * What the threads of the store run: one changes the database, one reads it, by their name.
 * Each has this machine to itself, so that its waits for the disk are nobody else's.
 */

import { disk } from "./deno/files.ts";
import { answerQuestions, rest } from "./deno/thread.ts";
import { Reader, type ReaderQuestion } from "./store/reader.ts";
import type { WriterQuestion } from "./store/questions.ts";
import { Writer } from "./store/writer.ts";

answerQuestions({
  writer() {
    const writer = new Writer(disk, rest);
    return (question) => writer.answer(question as WriterQuestion);
  },
  reader() {
    const reader = new Reader(disk, rest);
    return (question) => reader.answer(question as ReaderQuestion);
  },
});
