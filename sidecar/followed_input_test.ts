/** Manifests that are edited in any way: what has been followed is what a whole reading would give. */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { testEnvironment } from "../console/testing.ts";
import { composePlan, hashPlan } from "../routing/parts.ts";
import { compileInput, FollowedInput } from "./compile_input.ts";

const NAMES = ["a", "b", "c"];

const service = (name: string, port: number) =>
  `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${name}}, ports: [{name: http, port: ${port}}]}
`;
const deployment = (name: string, replicas: number) =>
  `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: main, ports: [{containerPort: 80}]}]}
`;
const slice = (name: string, last: number) =>
  `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-x, namespace: shop, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [10.0.0.${last}]}]
`;
const split = (root: string, other: string, weight: number) =>
  `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: ${root}, namespace: shop}
spec: {service: ${root}, backends: [{service: ${root}, weight: 10}, {service: ${other}, weight: ${weight}}]}
`;

const anyName = fc.constantFrom(...NAMES);
const anyDocument = fc.oneof(
  fc.tuple(anyName, fc.integer({ min: 80, max: 82 })).map(([name, port]) => service(name, port)),
  fc.tuple(anyName, fc.nat(2)).map(([name, replicas]) => deployment(name, replicas)),
  fc.tuple(anyName, fc.integer({ min: 1, max: 3 })).map(([name, last]) => slice(name, last)),
  fc.tuple(anyName, anyName, fc.nat(3)).map(([root, other, weight]) => split(root, other, weight)),
  // A comment moves all that stands after it; the last two cannot be read.
  fc.constantFrom("# a comment\n# of two lines\n", "kind: [", "apiVersion: v1\nkind: Service\n"),
);
const anyFile = fc.array(anyDocument, { maxLength: 4 }).map((texts) => texts.join("---\n"));
/** Null: it is removed. */
const anyEdit = fc.tuple(
  fc.constantFrom("one.yaml", "two.yaml", "three.yaml"),
  fc.option(anyFile, { freq: 6 }),
);

Deno.test("followed input: after any edits the same parts and Findings as of a whole reading", async () => {
  const environment = testEnvironment();
  await fc.assert(
    fc.asyncProperty(fc.array(anyEdit, { minLength: 1, maxLength: 6 }), async (edits) => {
      const folder = Deno.makeTempDirSync({ prefix: "weft-follow-" });
      try {
        const options = {
          paths: [folder],
          recursive: false,
          namespace: "default",
          permissive: true,
          isForProxy: true,
        };
        const followed = new FollowedInput(options, environment);
        const known = new Map<string, string>();
        for (const [name, text] of edits) {
          const path = `${folder}/${name}`;
          if (text !== null) Deno.writeTextFileSync(path, text);
          else if (known.has(path)) Deno.removeSync(path);
          if (text === null) known.delete(path);
          else known.set(path, text);
          const { header, parts, hash, serviceCount, findings } = await followed.read();
          const whole = await compileInput(options, environment);
          deepEqual(composePlan(header, parts, hash), whole.plan);
          deepEqual(findings, whole.findings);
          equal(hash, hashPlan(whole.plan));
          equal(serviceCount, whole.plan.services.length);
        }
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("followed input: a changed file changes the parts that come of it, and no others", async () => {
  const environment = testEnvironment();
  const folder = Deno.makeTempDirSync({ prefix: "weft-follow-" });
  try {
    for (const name of NAMES) {
      const text = [service(name, 80), slice(name, 1)].join("---\n");
      Deno.writeTextFileSync(`${folder}/${name}.yaml`, text);
    }
    const followed = new FollowedInput(
      { paths: [folder], recursive: false, namespace: "default", permissive: true },
      environment,
    );
    equal((await followed.read()).changed.size, 6);
    equal((await followed.read()).changed.size, 0);
    const text = [service("b", 80), slice("b", 2)].join("---\n");
    Deno.writeTextFileSync(`${folder}/b.yaml`, text);
    deepEqual([...(await followed.read()).changed], ["group shop/b:80"]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
