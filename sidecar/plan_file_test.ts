/** A plan file is read a part at a time, and comes to the same as the plan that is in memory. */
import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import fc from "fast-check";
import { compile } from "../routing/compile/compile.ts";
import { anySnapshot } from "../routing/compile/snapshot_for_test.ts";
import { partHashes, partsOf, planHeaderOf } from "../routing/parts.ts";
import type { Plan } from "../routing/plan.ts";
import { decodePlan, encodePlan } from "../routing/plan_codec.ts";
import { MeshNames } from "../routing/source/mesh_names.ts";
import { PlanFile } from "./plan_file.ts";

const anyPlan = fc.tuple(anySnapshot, fc.boolean()).map(([snapshot, permissive]) =>
  compile(snapshot, { permissive }).plan
);

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(path, text);
    await use(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("plan file: it has the parts of its plan, whichever way it is written", async () => {
  await fc.assert(
    fc.asyncProperty(anyPlan, fc.nat(2), fc.boolean(), async (plan, indent, isReversed) => {
      const value = JSON.parse(encodePlan(plan));
      const written = isReversed ? Object.fromEntries(Object.entries(value).reverse()) : value;
      await withFile(JSON.stringify(written, null, indent), async (path) => {
        const file = await PlanFile.open(path, true);
        try {
          const parts = partsOf(plan);
          const hashes = partHashes(plan);
          for (const [key, part] of parts) {
            deepEqual(file.hashed(key), { hash: hashes.get(key), part });
          }
          deepEqual([...file.differences(null)].sort(), [...parts.keys()].sort());
          deepEqual(file.header, planHeaderOf(plan));
          equal(file.hash, plan.hash);
          equal(file.serviceCount, plan.services.length);
          equal(file.at("route no/such"), undefined);
          checkNames(file, plan);
        } finally {
          file.close();
        }
      });
    }),
    { numRuns: 100 },
  );
});

function checkNames(file: PlanFile, plan: Plan): void {
  const parts = partsOf(plan);
  const { clusterDomain } = plan;
  const names = new MeshNames({ clusterDomain, parts, at: (key) => parts.get(key) });
  for (const [key, part] of parts) names.change(key, undefined, part);
  for (const { namespace, name, clusterIps, podHosts } of plan.services) {
    for (const host of [name, `${name}.${namespace}`, ...podHosts.map((pod) => `${pod}.${name}`)]) {
      deepEqual(file.names.host(namespace, host), names.host(namespace, host));
    }
    for (const ip of clusterIps) deepEqual(file.names.address(ip), names.address(ip));
  }
  for (const { address } of Object.values(plan.groups).flat()) {
    deepEqual(file.names.address(address), names.address(address));
  }
}

Deno.test("plan file: what decodePlan refuses is refused, in one line", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyPlan,
      fc.nat(),
      fc.nat(2),
      fc.string({ maxLength: 1 }),
      async (plan, place, cut, put) => {
        // Without the hashes of the parts, which follow from the rest and are passed over.
        const text = JSON.stringify(plan);
        const at = place % text.length;
        const changed = text.slice(0, at) + put + text.slice(at + cut);
        const decoded = decodePlan(changed);
        await withFile(changed, async (path) => {
          let message = "";
          const file = await PlanFile.open(path, false).catch((error: Error) => {
            message = error.message;
          });
          file?.close();
          equal(message.includes("\n"), false);
          // A group without endpoints is no part, so a reader of parts does not miss it.
          const isTaken = decoded.ok || decoded.message.includes("groups");
          if (decoded.ok) equal(message, "");
          if (message === "") equal(isTaken, true, decoded.ok ? "" : decoded.message);
        });
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("plan file: one that is changed while it is served is noticed, and its parts are not believed", async () => {
  const [plan] = fc.sample(
    anyPlan.filter(({ services }) => services.length > 1 && services[0].ports.length > 0),
    { numRuns: 1, seed: 5 },
  );
  const [key] = partsOf(plan).keys();
  const text = encodePlan(plan);
  await withFile(text, async (path) => {
    const file = await PlanFile.open(path, false);
    Deno.writeTextFileSync(
      path,
      text.replaceAll(plan.services[0].name, "x".repeat(plan.services[0].name.length)),
    );
    throws(() => file.at(key), /is being changed/);
    Deno.writeTextFileSync(path, "");
    throws(() => file.at(key), /is being changed/);
    file.close();
    await rejects(PlanFile.open(path, false), /not JSON/);
  });
});
