/**
 * A mesh on a node whose pods and Services have addresses of both families: `WEFT_DUAL_STACK=yes tests/cluster/run_on_node` with this file.
 * Whichever family a call comes by, it is captured, split and counted, and what listens at one family only is called there.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { get, insist, NODE, runOnNode } from "./on_node.ts";

const IS_DUAL = NODE !== undefined && Deno.env.get("WEFT_DUAL_STACK") === "yes";
const CALLS = 40;

/** @param at where it listens, as its script names it */
function server(version: string, at: string): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: web-${version}, namespace: dual}
spec: {ipFamilyPolicy: RequireDualStack, selector: {version: ${version}}, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web-${version}, namespace: dual, labels: {app: web, version: ${version}}}
spec:
  containers:
  - name: pipy
    image: flomesh/pipy:latest
    imagePullPolicy: Never
    command: [pipy, -e, "pipy().listen(${at}).serveHTTP(new Message('${version}'))"]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
`;
}

const MANIFESTS = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: dual}
spec: {ipFamilyPolicy: RequireDualStack, selector: {app: web}, ports: [{name: http, port: 8080}]}
---${server("v1", "8080")}---${server("v2", "'0.0.0.0:8080'")}---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: dual}
spec:
  containers: [{name: curl, image: curlimages/curl, imagePullPolicy: Never, command: [sleep, 365d]}]
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: dual}
spec:
  service: web
  backends: [{service: web-v1, weight: 75}, {service: web-v2, weight: 25}]
`;

/** How often each version answers. */
async function answersOf(curl: string): Promise<Readonly<Record<string, number>>> {
  const loop = `for i in $(seq ${CALLS}); do curl -s -m 10 ${curl} -w "\\n"; done`;
  const text = await insist(`kubectl exec -n dual client -c curl -- sh -c '${loop}'`);
  const counts: Record<string, number> = {};
  for (const answer of text.trim().split("\n")) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

Deno.test({
  name: `dual stack: calls of both families are split${
    IS_DUAL ? "" : " (run WEFT_DUAL_STACK=yes tests/cluster/run_on_node with this file for it)"
  }`,
  ignore: !IS_DUAL,
  async fn(t) {
    await insist("weft install --image localhost/weft:test --timeout 120s");
    await insist("kubectl create namespace dual && weft namespace add dual");
    await insist("kubectl apply -f -", MANIFESTS);
    await insist("kubectl wait -n dual --for condition=Ready --timeout 100s pod --all");
    const { spec: { clusterIPs } } = await get("-n dual service web");
    const [four, six] = clusterIPs;
    await t.step("pods and Services have both", async () => {
      const { status: { podIPs } } = await get("-n dual pod web-v1");
      assert.equal(podIPs.length, 2);
      assert.match(four, /^10\.96\./);
      assert.match(six, /^fd00:10:96:/);
    });
    await until(
      "the split is in force",
      () => runOnNode("kubectl exec -n dual client -c curl -- curl -s http://web.dual:8080/"),
      ({ stdout }) => /^v[12]$/.test(stdout),
    );
    const exact = { v1: CALLS * 3 / 4, v2: CALLS / 4 };
    for (const family of ["-4", "-6"]) {
      await t.step(`by name, ${family}`, async () => {
        assert.deepEqual(await answersOf(`${family} http://web.dual:8080/`), exact);
      });
    }
    for (const [family, host] of [["IPv4", four], ["IPv6", `[${six}]`]]) {
      await t.step(`by the Service's address of ${family}`, async () => {
        assert.deepEqual(await answersOf(`-g http://${host}:8080/`), exact);
      });
    }
    // The second listens at IPv4 alone.
    for (const version of ["v1", "v2"]) {
      await t.step(
        `by the address of IPv6 of ${version}'s pod, which its sidecar takes`,
        async () => {
          const { status: { podIPs } } = await get(`-n dual pod web-${version}`);
          const before = await inboundOf(`web-${version}`);
          const answers = await answersOf(`-g http://[${podIPs[1].ip}]:8080/`);
          assert.deepEqual(answers, { [version]: CALLS });
          assert.ok(await inboundOf(`web-${version}`) - before >= CALLS);
        },
      );
    }
  },
});

/** Requests that the sidecar of a pod has let in. */
async function inboundOf(pod: string): Promise<number> {
  const text = await insist(`weft proxy get stats ${pod} -n dual`);
  return [...text.matchAll(/^response_total\{[^}]*direction="inbound"[^}]*\} (\d+)/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
}
