// The pieces are what JSON would be, and a large part is one piece that is shared.
import { deepEqual, equal, ok } from "node:assert/strict";
import { joinBytes } from "../../base/bytes.ts";
import type { Part } from "../../routing/parts.ts";
import type { SourceUpdate } from "../../routing/source/messages.ts";
import { decodeUpdate } from "../../routing/source/wire.ts";
import { LARGE_PART_BYTES } from "../limits.ts";
import { bytesOfUpdate } from "./update_bytes.ts";

function partOf(targets: number): Part {
  const target = { destination: "app/web", sources: ["app/ä"], name: 'q"\\' };
  return { targets: Array.from({ length: targets }, () => target) } as unknown as Part;
}

const SMALL = { hash: "a".repeat(64), part: partOf(1) };
const LARGE = { hash: "b".repeat(64), part: partOf(LARGE_PART_BYTES / 20) };
const HEADER = { version: 2, clusterDomain: "cluster.local", permissive: true } as const;

Deno.test("update: its pieces are what JSON makes of it", () => {
  const updates: SourceUpdate[] = [
    { answers: [], parts: [] },
    { header: HEADER, answers: [["host app web.app", ["route app/web"]]], parts: [] },
    { answers: [["access app/web", null]], parts: [["route app/web", null]] },
    { answers: [], parts: [["access a/b", SMALL], ["route a/c", null], ["access a/d", LARGE]] },
    { header: HEADER, answers: [], parts: [["access a/b", LARGE], ["access a/c", LARGE]] },
    { answers: [], parts: [["access a/b", LARGE], ["access a/c", SMALL]] },
    { answers: [], parts: [["access a/b", LARGE], ["access a/c", null]] },
    { answers: [], parts: [["access a/b", LARGE]] },
    { answers: [], parts: [["access a/c", LARGE]] },
  ];
  for (const update of updates) {
    const text = new TextDecoder().decode(joinBytes([...bytesOfUpdate(update)]));
    equal(text, `${JSON.stringify(update)}\n`);
    ok(decodeUpdate(text).ok || update.parts.length > 0);
  }
});

Deno.test("update: a large part is encoded once, whatever is told beside it", () => {
  const told = (beside: string): SourceUpdate => ({
    answers: [],
    parts: [["access a/b", LARGE], [`access a/${beside}`, SMALL]],
  });
  const [first, second] = ["c", "d"].map((beside) => [...bytesOfUpdate(told(beside))]);
  deepEqual(first.map(({ length }) => length), second.map(({ length }) => length));
  equal(first.filter((piece) => second.includes(piece)).length, 1);
});

Deno.test("update: what is told in the same words to one after the other is encoded once", () => {
  const encoded = () => bytesOfUpdate({ answers: [], parts: [["access a/b", { ...SMALL }]] });
  equal(encoded(), encoded());
});
