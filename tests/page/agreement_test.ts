/** A short run of `agreement.ts`; the long one is in CI. */
import { randomSeed } from "../../base/random.ts";
import { checkAgreement } from "./agreement.ts";

Deno.test({
  name: "explain, diff, the page's own program and a live proxy agree on random requests",
  ignore: Deno.build.os !== "linux",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => void await checkAgreement(1_000, randomSeed() % 2 ** 31),
});
