/**
 * What a change of plans costs an event loop, by how many Services are in use: `deno bench --allow-net proxy/run/apply_bench.ts`. A
 * changed plan shares with the one before what did not change.
 */
import type { Plan } from "../../routing/plan.ts";
import {
  backendForTest,
  endpointForTest,
  planForTest,
  routeForTest,
  serviceForTest,
} from "../../routing/table/plan_for_test.ts";
import { DEFAULT_TIMEOUTS } from "../config.ts";
import { PortableIo } from "../io/portable.ts";
import { Engine } from "./engine.ts";

const ENDPOINTS = 10;

/** Every fifth Service is split between itself and the next one. Nothing listens at the endpoints. */
function meshOf(count: number): Plan {
  const services = Array.from({ length: count }, (_, i) => serviceOf(i, i % 5 === 0 ? 10 : 0));
  const groups = services.map((_, i) => [groupOf(i), endpointsOf(i)]);
  return planForTest(services, { groups: Object.fromEntries(groups) });
}

function serviceOf(i: number, weight: number) {
  const backends = [backendForTest(nameOf(i), 100 - weight)];
  if (weight > 0) backends.push(backendForTest(nameOf(i + 1), weight));
  return serviceForTest({ fallback: { ...routeForTest(groupOf(i), {}), backends } }, {
    name: nameOf(i),
    clusterIps: [`10.96.${i >> 8}.${i & 255}`],
  });
}

function endpointsOf(i: number, first = 1) {
  return Array.from({ length: ENDPOINTS }, (_, at) => {
    const address = `127.${at === 0 ? first : at + 1}.${i >> 8}.${i & 255}`;
    return endpointForTest(at, { address, pod: `${nameOf(i)}-${address}` });
  });
}

function nameOf(i: number): string {
  return `service-${String(i).padStart(5, "0")}`;
}

function groupOf(i: number): string {
  return `app/${nameOf(i)}:80`;
}

/** An event loop that takes clients of `default`, each Service of whose plan has had a request. */
async function engineOf(plan: Plan, capture: boolean): Promise<Engine> {
  const io = new PortableIo({ arenaBytes: 1 << 22 });
  const listener = {
    address: "127.0.0.1",
    port: 0,
    namespace: "default",
    identity: "",
    seed: 1,
  };
  const engine = new Engine(
    io,
    {
      driver: "portable",
      workers: 1,
      // The one that captures is not opened for this, but has its own index of addresses.
      outbound: capture ? [listener, { ...listener, capture }] : [listener],
      inbound: [],
      admin: null,
      timeouts: DEFAULT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    },
    plan,
    { onRecords() {}, onAccessLines() {}, onSpans() {}, onLog() {}, lookUp() {} },
  );
  const [port] = engine.listen().outbound;
  using client = await Deno.connect({ port });
  const bytes = new Uint8Array(4096);
  for (const { name } of plan.services) {
    await client.write(new TextEncoder().encode(`GET / HTTP/1.1\r\nHost: ${name}.app\r\n\r\n`));
    await client.read(bytes);
  }
  return engine;
}

for (const count of [20, 1_000]) {
  for (const capture of [false, true]) {
    const mesh = meshOf(count);
    const engine = await engineOf(mesh, capture);
    let plan = mesh;
    let turn = 0;
    const group = `apply: ${count} Services of ${ENDPOINTS} endpoints${
      capture ? ", two listeners, one captures" : ""
    }`;
    const change = (next: Partial<Plan>) => {
      plan = { ...plan, ...next };
      engine.apply(plan);
    };

    Deno.bench({ group, name: "an address changes" }, () => {
      turn++;
      const i = turn * 7 % count;
      change({ groups: { ...plan.groups, [groupOf(i)]: endpointsOf(i, 100 + turn % 2) } });
    });

    Deno.bench({ group, name: "a weight changes" }, () => {
      turn++;
      change({ services: plan.services.with(0, serviceOf(0, 1 + turn % 90)) });
    });

    Deno.bench({ group, name: "a Service goes, and comes again" }, () => {
      const { services } = plan;
      change({ services: services.slice(1) });
      change({ services });
    });

    Deno.bench({ group, name: "another plan", n: 10, warmup: 2 }, () => {
      change(meshOf(count));
    });
  }
}
