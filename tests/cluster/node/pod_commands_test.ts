/**
 * What a person asks the sidecar of a pod, on a real node: `weft proxy get`, `explain --pod`, `tap --pod`, through the API server, the
 * kubelet and the container runtime to a port on the pod's loopback.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";

const NODE = Deno.env.get("WEFT_TEST_NODE");

const MANIFESTS = `
apiVersion: v1
kind: Service
metadata: {name: server, namespace: asked}
spec: {selector: {app: server}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: asked, labels: {app: server}}
spec:
  containers:
  - name: pipy
    image: flomesh/pipy:latest
    command: [pipy, -e, "pipy().listen(8080).serveHTTP(new Message('Hi'))"]
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: asked}
spec:
  containers: [{name: curl, image: curlimages/curl, command: [sleep, 365d]}]
---
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: asked, labels: {weft.dev/inject: "false"}}
spec:
  containers: [{name: curl, image: curlimages/curl, command: [sleep, 365d]}]
`;

async function run(
  command: string,
  input = "",
): Promise<{ code: number; out: string; err: string }> {
  const child = new Deno.Command("bash", {
    args: ["-c", command],
    env: { KUBECONFIG: `${NODE}/kubeconfig` },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(150_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

async function works(command: string, input = ""): Promise<string> {
  const { code, out, err } = await run(command, input);
  assert.equal(code, 0, `${command}\n${out}${err}`);
  return out;
}

const CALL = "kubectl exec -n asked client -c curl -- curl -s http://server.asked:8080/";

Deno.test({
  name: "a pod's sidecar is asked from outside",
  ignore: NODE === undefined,
  async fn(t) {
    await works("weft install --image localhost/weft:test --timeout 120s");
    await works("kubectl create namespace asked && weft namespace add asked");
    await works("kubectl apply -f -", MANIFESTS);
    await works("kubectl wait -n asked --for condition=Ready --timeout 100s pod --all");
    await until("the server answers through the mesh", () => run(CALL), ({ out }) => out === "Hi");
    await t.step("proxy get: what it holds", async () => {
      const get = (query: string) => works(`weft proxy get ${query} client -n asked`);
      assert.match(
        await get("routes"),
        /asked\/server +8080 +http +- +everything else +asked\/server/,
      );
      assert.match(
        await get("clusters"),
        /asked\/server +8080 +- +asked\/server +100% +ready +1\n/,
      );
      assert.match(await get("endpoints"), /asked\/server:8080 +10\.244\.\S+:8080 +server/);
      assert.match(await get("stats"), /^weft_requests_total\{.*asked.* [1-9]/m);
      assert.equal(await get("ready"), "ready\n");
      assert.match(JSON.parse(await get("config")).hash, /^[0-9a-f]{64}$/);
      const [route] = JSON.parse(await get("routes -o json"));
      assert.equal(route["goes to"], "asked/server");
    });
    await t.step("explain --pod: where a request of it goes", async () => {
      const out = await works("weft explain --pod asked/client GET http://server.asked:8080/");
      assert.match(out, /server/);
    });
    await t.step("tap --pod: requests as they end", async () => {
      const tapped = works("weft tap --pod client -n asked --limit 1 -o json");
      let isOver = false;
      const over = tapped.finally(() => isOver = true);
      await until("a request is seen", () => run(CALL), () => isOver);
      assert.equal(JSON.parse(await tapped).status, 200);
      await over;
    });
    await t.step("check: all is well", async () => {
      const out = await works("weft check");
      assert.match(out, /ok +A pod of namespace \S+ would get a sidecar\n/);
      assert.match(out, /ok +[1-9]\d* sidecars are connected, none behind\n/);
      assert.match(out, / 0 errors\n/);
    });
    await t.step("what cannot be asked is said", async () => {
      const plain = await run("weft proxy get config plain -n asked");
      assert.match(plain.err, /Pod asked\/plain has no sidecar/);
      const missing = await run("weft proxy get config missing -n asked");
      assert.match(missing.err, /There is no pod asked\/missing/);
    });
  },
});
