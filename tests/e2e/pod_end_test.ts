/** Pods end one after the other, as native sidecars do: first the application, then the sidecar. Four processes of weft. */
import assert from "node:assert/strict";
import { encodePlan } from "../../routing/plan_codec.ts";
import { headerOf, RawSocket, statusOf } from "../support/raw_socket.ts";
import { planOf } from "../support/test_proxy.ts";
import { WeftProcess } from "./weft_process.ts";

const BODY = "x".repeat(5_000);
const POST = `POST / HTTP/1.1\r\nHost: app\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

interface Pod {
  readonly application: Deno.HttpServer<Deno.NetAddr>;
  readonly sidecar: WeftProcess;
  readonly port: number;
}

async function startSidecar(plan: string, args: readonly string[]): Promise<WeftProcess> {
  const ports = ["--outbound", "127.0.0.1:0", "--admin", "off"];
  const sidecar = new WeftProcess(["proxy", "--plan", plan, ...ports, ...args]);
  await sidecar.printed(/Proxy started/);
  return sidecar;
}

function portOf({ output }: WeftProcess, listener: "outbound" | "inbound"): number {
  return Number(new RegExp(`"${listener}":"[^"]*:(\\d+)"`).exec(output)?.[1]);
}

async function startPod(plan: string): Promise<Pod> {
  const application = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => new Response(await request.text()),
  );
  const app = `127.0.0.1:${application.addr.port}`;
  const args = ["--inbound", "127.0.0.1:0", "--app", app, "--native-sidecar"];
  const sidecar = await startSidecar(plan, args);
  return { application, sidecar, port: portOf(sidecar, "inbound") };
}

/** Sends some over each of several connections; what became of them, each kind once. */
async function outcomes(port: number): Promise<string[]> {
  const seen = new Set<string>();
  await Promise.all(Array.from({ length: 4 }, async () => {
    using client = await RawSocket.connect(port);
    for (let i = 0; i < 25; i++) {
      await client.send(POST);
      const answer = await client.readResponse();
      const isWhole = answer.body === BODY;
      seen.add(isWhole ? "whole" : `${statusOf(answer)} ${headerOf(answer, "x-weft-reason")}`);
    }
  }));
  return [...seen];
}

Deno.test("pods end one after the other, their plan comes late: every POST is answered by one that is left", async () => {
  const folder = Deno.makeTempDirSync();
  const none = `${folder}/none.json`;
  const plan = `${folder}/plan.json`;
  Deno.writeTextFileSync(none, encodePlan(planOf([])));
  const pods = await Promise.all([startPod(none), startPod(none), startPod(none)]);
  Deno.writeTextFileSync(plan, encodePlan(planOf(pods.map(({ port }) => port))));
  const caller = await startSidecar(plan, []);
  const port = portOf(caller, "outbound");
  try {
    assert.deepEqual(await outcomes(port), ["whole"]);
    for (const [i, { application, sidecar }] of pods.entries()) {
      const expected = i < pods.length - 1 ? "whole" : "503 upstream-refused";
      await application.shutdown();
      assert.deepEqual(await outcomes(port), [expected], `application ${i}`);
      assert.equal(await sidecar.stop(), 0);
      assert.deepEqual(await outcomes(port), [expected], `sidecar ${i}`);
    }
  } finally {
    await Promise.all(pods.map(({ application }) => application.shutdown()));
    await Promise.all([caller, ...pods.map(({ sidecar }) => sidecar)].map((it) => it.stop()));
    Deno.removeSync(folder, { recursive: true });
  }
});
