/** Weights that change under load: what each plan decided is split as that plan says, over both workers together. */
import assert from "node:assert/strict";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import { planOfMesh } from "./mesh.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
const CLIENTS = 16;
const REQUESTS_PER_PLAN = 60;

/** Neighbours differ, so that each plan begins sequences of its own. */
const WEIGHTS: readonly Readonly<Record<string, number>>[] = [
  { v1: 75, v2: 25 },
  { v1: 1, v2: 1 },
  { v1: 5, v2: 3, v3: 2 },
  { v1: 997, v2: 101, v3: 353 },
  { v1: 9, v2: 1 },
  { v1: 1_500_000_001, v2: 500_000_003 },
  { v1: 1, v2: 1, v3: 1 },
];

for (const driver of DRIVERS) {
  Deno.test({
    name: `workers (${driver}): every plan's requests are split exactly, whatever comes after it`,
    // libc is opened once a thread and stays open, as for every test through a native proxy.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const origin = stack.use(new ScriptedOrigin(answering(() => ok("here"))));
      const services = { app: [], v1: [origin], v2: [origin], v3: [origin] };
      const plans = [...WEIGHTS, ...WEIGHTS].map((split, i) =>
        planOfMesh({ services: { ...services, [`plan-${i}`]: [] }, split })
      );
      const records: RequestRecord[] = [];
      const proxy = await startProxy(
        {
          driver,
          workers: 2,
          outbound: [{
            address: "127.0.0.1",
            port: 0,
            namespace: "default",
            identity: "",
            seed: 7,
          }],
          inbound: [],
          admin: null,
          timeouts: PATIENT_TIMEOUTS,
          bodyBytesMax: Infinity,
          reportRequests: true,
        },
        plans[0],
        { onRequest: (record) => records.push(record) },
      );
      stack.defer(() => proxy.stop());
      let answered = 0;
      let isOver = false;
      const load = Array.from({ length: CLIENTS }, async () => {
        using client = await RawSocket.connect(proxy.outbound[0].port);
        while (!isOver) {
          await client.send(GET);
          assert.equal(statusOf(await client.readResponse()), 200);
          answered++;
        }
      });
      for (const plan of plans.slice(1)) {
        const before = answered;
        await until("answers", () => answered, (count) => count >= before + REQUESTS_PER_PLAN);
        await proxy.apply(plan);
      }
      isOver = true;
      await Promise.all(load);
      await until("the records", () => records.length, (count) => count === answered);
      for (const [i, { hash }] of plans.entries()) {
        const split = [...WEIGHTS, ...WEIGHTS][i];
        const total = Object.values(split).reduce((sum, weight) => sum + weight, 0);
        const decided = records.filter(({ plan }) => plan !== "" && hash.startsWith(plan));
        if (i < plans.length - 1) assert.ok(decided.length >= REQUESTS_PER_PLAN / 2, `plan ${i}`);
        for (const [service, weight] of Object.entries(split)) {
          const count = decided.filter(({ backend }) => backend === `default/${service}`).length;
          const exact = decided.length * weight / total;
          // A seeded sequence that is picked online may be off by less than two, all others by less than one.
          const bound = total > 1_024 && Object.keys(split).length > 2 ? 2 : 1;
          assert.ok(Math.abs(count - exact) < bound, `plan ${i}, ${service}: ${count} of ${exact}`);
        }
      }
    },
  });
}
