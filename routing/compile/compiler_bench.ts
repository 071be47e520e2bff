/** What a change costs in a small mesh and in a large one, and what a large one costs as a whole. */
import { Compiler } from "./compiler.ts";
import { compile } from "./compile.ts";
import { largeMesh, meshSlice, meshSplit } from "./mesh_for_test.ts";

const ENDPOINTS = 10;

for (const services of [1_000, 10_000]) {
  const splits = services / 5;
  const mesh = largeMesh(services, ENDPOINTS, splits);
  const compiler = new Compiler();
  compiler.add(mesh);
  compiler.refresh();
  const group = `compiler: ${services} Services of ${ENDPOINTS} endpoints, ${splits} splits`;

  let slice = mesh.endpointSlices[0];
  let isSecond = false;
  Deno.bench({ group, name: "an address changes" }, () => {
    isSecond = !isSecond;
    const next = meshSlice(0, ENDPOINTS, isSecond);
    compiler.change("endpointSlices", slice, next);
    slice = next;
    if (compiler.refresh().parts.size !== 1) throw new Error("One part changes");
  });

  let split = mesh.trafficSplits[0];
  let weight = 10;
  Deno.bench({ group, name: "a weight changes" }, () => {
    weight = (weight + 1) % 100;
    const next = meshSplit(0, weight);
    compiler.change("trafficSplits", split, next);
    split = next;
    if (compiler.refresh().parts.size !== 1) throw new Error("One part changes");
  });

  Deno.bench({ group, name: "all of it", n: 3, warmup: 1 }, () => {
    compile(mesh);
  });
}
