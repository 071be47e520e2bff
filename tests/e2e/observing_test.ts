/** Spans, `weft tap` and `weft explain --admin` as processes, in a shell that has `http_proxy` set, as clients of the mesh have. */
import assert from "node:assert/strict";
import { encodePlan } from "../../routing/plan_codec.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { planOf } from "../support/test_proxy.ts";
import { Collector } from "../traces/collector.ts";
import { until } from "../support/until.ts";
import { weftCommand } from "./weft_process.ts";

Deno.test({
  name: "observing: what tells of the mesh does not go through it",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using collector = new Collector();
    await using origin = new ScriptedOrigin(answering(() => ok("hello")), { mayFail: true });
    const folder = Deno.makeTempDirSync();
    Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([origin.port])));
    const env = {
      // Nothing listens there: what goes that way is lost.
      http_proxy: "http://127.0.0.1:9",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    };
    const pipes = { env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
    const child = weftCommand([
      ...["proxy", "--plan", `${folder}/plan.json`, "--workload", "Deployment/cart"],
      ...["--outbound", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
    ], pipes).spawn();
    let log = "";
    const reading = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) log += text;
    })();
    try {
      await until("it runs", () => log, (text) => text.includes("Proxy started"));
      const { outbound, admin } = JSON.parse(log.split("\n")[0]);
      const tap = weftCommand(["tap", "--admin", admin, "--limit", "1", "-o", "json"], pipes)
        .output();
      const ask = async () => {
        using client = await RawSocket.connect(Number(outbound.split(":")[1]));
        await client.send("GET /a HTTP/1.1\r\nHost: app\r\n\r\n");
        assert.equal(statusOf(await client.readResponse()), 200);
      };
      let isTapped = false;
      const tapped = tap.then((output) => {
        isTapped = true;
        return output;
      });
      let asked = 0;
      // The tap opens in its own time.
      await until("a request is tapped", async () => {
        await ask();
        asked++;
        return isTapped;
      }, (isIt) => isIt);
      const { code, stdout } = await tapped;
      assert.equal(code, 0);
      assert.equal(JSON.parse(new TextDecoder().decode(stdout)).path, "/a");
      const [span] = await collector.take(asked);
      assert.equal(span.name, "GET default/app:80");
      assert.deepEqual(span.resource, {
        "service.name": "cart",
        "deployment.environment.name": "test",
      });
      const explained = await weftCommand(
        ["explain", "--admin", admin, "GET", "http://app/a"],
        pipes,
      )
        .output();
      assert.equal(explained.code, 0, new TextDecoder().decode(explained.stderr));
    } finally {
      child.kill("SIGTERM");
      await child.status;
      await reading;
      await child.stdout.cancel();
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
