import { deepEqual, throws } from "node:assert/strict";
import { Lazy } from "./lazy.ts";

Deno.test("lazy: the value is worked out when it is first read, and once", () => {
  let made = 0;
  const lazy = new Lazy(() => ++made);
  deepEqual([made, lazy.value, lazy.value, made], [0, 1, 1, 1]);
});

Deno.test("lazy: what could not be worked out is tried again", () => {
  let tries = 0;
  const lazy = new Lazy(() => {
    if (++tries === 1) throw new Error("not yet");
    return tries;
  });
  throws(() => lazy.value, /not yet/);
  deepEqual(lazy.value, 2);
});
