// Tests of lines for a slow reader: their order, how many wait, and what is said of those that did not.
import assert from "node:assert/strict";
import { LineBuffer } from "./line_buffer.ts";

/** A reader that takes what is written when it is told to. */
class SlowReader {
  readonly texts: string[] = [];
  #turns: PromiseWithResolvers<void>[] = [];

  send = (bytes: Uint8Array): Promise<void> => {
    this.texts.push(new TextDecoder().decode(bytes));
    const turn = Promise.withResolvers<void>();
    this.#turns.push(turn);
    return turn.promise;
  };

  /** Takes what was written last, and waits for what is written next. */
  async take(): Promise<void> {
    this.#turns.shift()?.resolve();
    // As many turns as promises take to hand it on.
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  leave(): void {
    this.#turns.shift()?.reject(new Deno.errors.BrokenPipe());
  }
}

function bufferFor(reader: SlowReader, bytesMax = 1_000): LineBuffer {
  return new LineBuffer({ send: reader.send, lost: (count) => `lost ${count}`, bytesMax });
}

Deno.test("line buffer: lines go out in order, those of one turn together", async () => {
  const reader = new SlowReader();
  const buffer = bufferFor(reader);
  for (const line of ["a", "b"]) buffer.line(line);
  await reader.take();
  for (const line of ["c", "d"]) buffer.line(line);
  assert.deepEqual(reader.texts, ["a\nb\n"]);
  await reader.take();
  await reader.take();
  buffer.line("e");
  await reader.take();
  assert.deepEqual(reader.texts, ["a\nb\n", "c\nd\n", "e\n"]);
  assert.equal(buffer.dropped, 0);
});

Deno.test("line buffer: what finds no room is dropped, counted, and told of", async () => {
  const reader = new SlowReader();
  const buffer = bufferFor(reader, 10);
  for (let i = 0; i < 100; i++) buffer.line(`${i % 10}`);
  // Five lines of two characters each; one of them may not fill the room.
  assert.equal(buffer.dropped, 95);
  await reader.take();
  buffer.line("x");
  assert.equal(buffer.dropped, 96, "what is being written still counts");
  await reader.take();
  assert.deepEqual(reader.texts, ["0\n1\n2\n3\n4\n", "lost 96\n"]);
  await reader.take();
  buffer.line("y");
  await reader.take();
  assert.deepEqual(reader.texts.at(-1), "y\n");
});

Deno.test("line buffer: a reader that has gone costs the lines and nothing else", async () => {
  const reader = new SlowReader();
  const buffer = bufferFor(reader);
  buffer.line("a");
  await reader.take();
  reader.leave();
  await buffer.flush(60_000);
  buffer.line("b");
  assert.deepEqual(reader.texts, ["a\n"]);
  assert.equal(buffer.dropped, 2);
});

Deno.test("line buffer: the end waits for what is being written, and not for ever", async () => {
  const reader = new SlowReader();
  const buffer = bufferFor(reader);
  await buffer.flush(60_000);
  buffer.line("a");
  await buffer.flush(1);
  assert.deepEqual(reader.texts, ["a\n"]);
});
