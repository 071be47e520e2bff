// Tests of NameCache: one lookup for all who wait, answers in turn, lives of hits and misses, bounds.
import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { NAME_LIFE_MS, NAME_MISS_LIFE_MS, NAMES_MAX } from "../limits.ts";
import { NameCache } from "./name_cache.ts";

function cache() {
  const asked: string[] = [];
  const told: (string | null)[] = [];
  const names = new NameCache((name) => asked.push(name));
  return { names, asked, told, waiter: (address: string | null) => void told.push(address) };
}

Deno.test("NameCache: one lookup for all who ask meanwhile, who get the addresses in turn", () => {
  const { names, asked, told, waiter } = cache();
  const other = (address: string | null) => waiter(address);
  equal(names.addressOf("a.test", 0, waiter), undefined);
  equal(names.addressOf("a.test", 1, other), undefined);
  same(asked, ["a.test"]);
  names.resolved("a.test", ["192.0.2.1", "192.0.2.2"], 5);
  same(told, ["192.0.2.1", "192.0.2.2"]);
  equal(names.addressOf("a.test", 6, waiter), "192.0.2.1");
});

Deno.test("NameCache: an answer lives its time, and a miss a shorter one", () => {
  const { names, asked, waiter } = cache();
  names.addressOf("a.test", 0, waiter);
  names.resolved("a.test", ["192.0.2.1"], 0);
  equal(names.addressOf("a.test", NAME_LIFE_MS - 1, waiter), "192.0.2.1");
  equal(names.addressOf("a.test", NAME_LIFE_MS, waiter), undefined);
  names.resolved("a.test", [], NAME_LIFE_MS);
  equal(names.addressOf("a.test", NAME_LIFE_MS + NAME_MISS_LIFE_MS - 1, waiter), null);
  equal(names.addressOf("a.test", NAME_LIFE_MS + NAME_MISS_LIFE_MS, waiter), undefined);
  equal(asked.length, 3);
});

Deno.test("NameCache: who has gone is not told, and an unasked answer is nothing", () => {
  const { names, told, waiter } = cache();
  names.addressOf("a.test", 0, waiter);
  names.forget("a.test", waiter);
  names.forget("b.test", waiter);
  names.resolved("a.test", ["192.0.2.1"], 0);
  names.resolved("b.test", ["192.0.2.2"], 0);
  names.resolved("a.test", ["192.0.2.3"], 0);
  same(told, []);
  equal(names.addressOf("a.test", 1, waiter), "192.0.2.1");
});

Deno.test("NameCache: with too many names at once the next has no address; known ones give way", () => {
  const { names, waiter } = cache();
  for (let i = 0; i < NAMES_MAX; i++) equal(names.addressOf(`${i}.test`, 0, waiter), undefined);
  equal(names.addressOf("more.test", 0, waiter), null);
  names.resolved("7.test", ["192.0.2.7"], 0);
  equal(names.addressOf("more.test", 0, waiter), undefined);
  equal(names.addressOf("7.test", 0, waiter), null, "it gave way, and all others are asked for");
});

Deno.test("NameCache: one that is told may end another that waits, which is told nothing then", () => {
  const { names, told, waiter } = cache();
  const ended = (address: string | null) => waiter(address);
  const first = (address: string | null) => {
    waiter(address);
    names.forget("a.test", ended);
  };
  names.addressOf("a.test", 0, first);
  names.addressOf("a.test", 0, ended);
  names.resolved("a.test", ["192.0.2.1"], 1);
  same(told, ["192.0.2.1"]);
});
