import { strictEqual as equal } from "node:assert/strict";
import { allAnswer } from "./liveness.ts";

const well = () => Promise.resolve(null);
const stuck = () => new Promise(() => {});
const broken = () => Promise.reject(new Error("ended"));

Deno.test("liveness: all loops have to answer, and in time", async () => {
  const isAlive = (...loops: (() => Promise<unknown>)[]) => allAnswer(loops, (ask) => ask(), 20);
  equal(await isAlive(), true);
  equal(await isAlive(well, well), true);
  equal(await isAlive(well, stuck), false);
  equal(await isAlive(broken, well), false);
});
