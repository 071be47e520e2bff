import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { Compiler } from "./compile/compiler.ts";
import { wholePlan } from "./compile/compile.ts";
import { anySnapshot } from "./compile/snapshot_for_test.ts";
import {
  composePlan,
  hashPart,
  hashPlan,
  neededBy,
  partHashes,
  type PartKey,
  partsOf,
  PlanDigest,
  planHeaderOf,
  routeKey,
} from "./parts.ts";

const anyCompiler = fc.tuple(anySnapshot, fc.boolean()).map(([snapshot, permissive]) => {
  const compiler = new Compiler({ permissive });
  compiler.add(snapshot);
  compiler.refresh();
  return compiler;
});

Deno.test("parts: a plan is taken apart into what it was composed of, and composed again", () => {
  fc.assert(
    fc.property(anyCompiler, (compiler) => {
      const plan = wholePlan(compiler);
      const parts = partsOf(plan);
      deepEqual(parts, new Map(compiler.parts));
      deepEqual(composePlan(planHeaderOf(plan), parts, hashPlan(plan)), plan);
    }),
    { numRuns: 200 },
  );
});

Deno.test("parts: what did not change is the same object in the next plan", () => {
  fc.assert(
    fc.property(anyCompiler, (compiler) => {
      const before = wholePlan(compiler);
      const after = wholePlan(compiler);
      before.services.forEach((service, i) => equal(after.services[i], service));
      for (const id of Object.keys(before.groups)) equal(after.groups[id], before.groups[id]);
    }),
    { numRuns: 50 },
  );
});

Deno.test("PlanDigest: the hash follows from what is there, by whichever changes it came to be", () => {
  const keys = Array.from({ length: 600 }, (_, i) => routeKey(`app/s${i}`));
  const step = fc.tuple(fc.constantFrom(...keys), fc.option(fc.nat(3), { nil: undefined }));
  const header = { version: 2, clusterDomain: "cluster.local", permissive: true } as const;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const digest = new PlanDigest();
      const held = new Map<PartKey, string>();
      for (const [key, value] of steps) {
        const hash = value === undefined ? undefined : `hash ${value}`;
        digest.set(key, hash);
        if (hash === undefined) held.delete(key);
        else held.set(key, hash);
        // Asked for now and then, so that what is kept of each bucket is seen to be given up.
        if (value === 0) digest.hash(header);
      }
      const fresh = new PlanDigest();
      for (const [key, hash] of [...held].reverse()) fresh.set(key, hash);
      equal(digest.hash(header), fresh.hash(header));
      digest.set(routeKey("app/other"), "hash");
      equal(digest.hash(header) === fresh.hash(header), false);
      equal(digest.hash({ ...header, permissive: false }) === digest.hash(header), false);
    }),
  );
});

Deno.test("neededBy: whatever a route leads to, and whom its endpoints run as where that counts", () => {
  fc.assert(
    fc.property(anyCompiler, (compiler) => {
      const plan = wholePlan(compiler);
      for (const [key, part] of partsOf(plan)) {
        if (!key.startsWith("route ")) continue;
        const held = new Map([[key, part] as const]);
        for (const known of held.values()) {
          for (const needed of neededBy(known, plan)) {
            const other = compiler.parts.get(needed);
            if (other !== undefined) held.set(needed, other);
          }
        }
        // Nothing that a reader looks at is missing.
        const { groups } = composePlan(planHeaderOf(plan), held, "");
        for (const id of Object.keys(groups)) deepEqual(groups[id], plan.groups[id] ?? []);
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("partHashes: by key, in order, each of its own part alone", () => {
  fc.assert(
    fc.property(anyCompiler, (compiler) => {
      const hashes = partHashes(wholePlan(compiler));
      deepEqual([...hashes.keys()], [...compiler.parts.keys()].sort());
      for (const [key, part] of compiler.parts) equal(hashes.get(key), hashPart(part));
    }),
    { numRuns: 50 },
  );
});
