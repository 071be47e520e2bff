// Tests of caller_hash.ts: who is one caller to whom.
import { equal, ok } from "node:assert/strict";
import { callerHash } from "./caller_hash.ts";

Deno.test("a caller's address is one caller to every proxy", () => {
  for (const address of ["10.244.0.7", "fd00::7", "12.7.0.1", "::11"]) {
    equal(callerHash(address, 1), callerHash(address, 2), address);
  }
});

Deno.test("loopback is one caller to a proxy, and another one to the next", () => {
  for (const address of ["127.0.0.1", "::1"]) {
    equal(callerHash(address, 1), callerHash(address, 1));
    const hashes = Array.from({ length: 1_000 }, (_, seed) => callerHash(address, seed));
    const places = [0, 0, 0, 0];
    for (const hash of hashes) places[Math.floor(hash / 2 ** 30)]++;
    ok(places.every((count) => count > 150), `${address}: ${places}`);
  }
});
