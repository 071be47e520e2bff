/** The chart on a real node, installed by a real Helm in place of `weft install`. The last of these tests: it takes Weft out. */
import assert from "node:assert/strict";
import { hasCommand } from "../../support/commands.ts";
import { chartFiles } from "../../../tools/chart.ts";
import { insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const HAS_HELM = hasCommand("helm");
const WHY_NOT = NODE !== undefined && !HAS_HELM
  ? " (tests/cluster/get --helm builds it)"
  : OFF_NODE;

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: app, namespace: helmed}
spec:
  containers: [{name: curl, image: curlimages/curl, command: [sleep, 365d]}]
`;

Deno.test({
  name: `what Helm installs serves as what weft installs${WHY_NOT}`,
  ignore: NODE === undefined || !HAS_HELM,
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      for (const [path, text] of Object.entries(chartFiles())) {
        const file = `${folder}/weft/${path}`;
        Deno.mkdirSync(file.replace(/\/[^/]*$/, ""), { recursive: true });
        Deno.writeTextFileSync(file, text);
      }
      // Installed or not before.
      await runOnNode("weft uninstall");
      const helm = `--namespace weft-system --set image=localhost/weft:test --timeout 120s --wait`;
      await insist(`helm install weft ${folder}/weft --create-namespace ${helm}`);
      await insist("kubectl create namespace helmed && weft namespace add helmed");
      await insist("kubectl apply -f -", POD);
      await insist("kubectl wait -n helmed --for condition=Ready --timeout 100s pod --all");
      assert.equal(await insist("weft proxy get ready app -n helmed"), "ready\n");
      const secret = "kubectl get secret weft-ca -n weft-system -o jsonpath='{.data}'";
      const before = await insist(secret);
      await insist(`helm upgrade weft ${folder}/weft ${helm} --set replicaCount=1`);
      assert.equal(await insist(secret), before);
      const check = await insist("weft check");
      assert.match(check, / 0 errors\n/);
      const upgrade = await runOnNode("weft upgrade");
      assert.match(upgrade.text, /Helm has installed Weft/);
      await insist("helm uninstall weft --namespace weft-system --wait");
      const left = () =>
        insist(
          "kubectl get deployments,services,configmaps,secrets,clusterroles,mutatingwebhookconfigurations,validatingwebhookconfigurations -A -l app.kubernetes.io/name=weft -o name",
        );
      // The mesh's authority is not Helm's: the next installation goes on with it.
      assert.equal(await left(), "secret/weft-identity-a\n");
      await insist("weft uninstall");
      assert.equal(await left(), "");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
