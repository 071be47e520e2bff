/** Trace context through the proxy, on both drivers: what a request brings goes on unchanged; what it lacks is added where asked. */
import assert from "node:assert/strict";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const W3C = [`traceparent: 00-${TRACE_ID}-b7ad6b7169203331-01`, "tracestate: a=b,c=d"];
const B3 = [
  "b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
  "x-b3-traceid: 80f198ee56343ba864fe8b2a57d3eff7",
  "x-b3-spanid: e457b5a2e4d86bd1",
  "x-b3-sampled: 1",
];
const ADDED = /^traceparent: 00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-01$/;

for (const driver of DRIVERS) {
  for (const traceShare of [0, 1]) {
    Deno.test({
      name: `traces (${driver}): with ${traceShare} of the requests begun`,
      sanitizeOps: false,
      sanitizeResources: false,
      async fn() {
        const heads: string[][] = [];
        await using origin = new ScriptedOrigin(
          answering(({ headers }) => {
            heads.push(
              headers.map(([name, value]) => `${name}: ${value}`)
                .filter((line) => /^(trace|b3|x-b3)/i.test(line)),
            );
            return ok("");
          }),
          { mayFail: true },
        );
        const records: RequestRecord[] = [];
        const proxy = await startProxy(
          {
            driver,
            workers: 1,
            outbound: [{
              address: "127.0.0.1",
              port: 0,
              namespace: "default",
              identity: "",
              seed: null,
            }],
            inbound: [],
            admin: null,
            timeouts: PATIENT_TIMEOUTS,
            bodyBytesMax: Infinity,
            traceShare,
            reportRequests: true,
          },
          planOf([origin.port]),
          { onRequest: (record) => void records.push(record) },
        );
        try {
          using client = await RawSocket.connect(proxy.outbound[0].port);
          for (const lines of [W3C, B3, [], []]) {
            const text = lines.map((line) => `${line}\r\n`).join("");
            await client.send(`GET / HTTP/1.1\r\nHost: app\r\n${text}\r\n`);
            await client.readResponse();
          }
          await until("records", () => records, ({ length }) => length === 4);
          assert.deepEqual(heads.slice(0, 2), [W3C, B3]);
          assert.equal(records[0].trace, TRACE_ID);
          assert.equal(records[1].trace, "");
          if (traceShare === 0) {
            assert.deepEqual(heads.slice(2), [[], []]);
            assert.equal(records[2].trace, "");
            return;
          }
          const ids = heads.slice(2).map((lines, i) => {
            assert.equal(lines.length, 1);
            const [, id] = ADDED.exec(lines[0]) ?? assert.fail(lines[0]);
            assert.equal(records[2 + i].trace, id);
            return id;
          });
          assert.notEqual(ids[0], ids[1]);
        } finally {
          await proxy.stop();
        }
      },
    });
  }
}
