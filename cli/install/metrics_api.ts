/** The work of `weft metrics api enable|disable`. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { applyObject, findObject, removeObject } from "../../controller/install/cluster.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { metricsApi } from "../../controller/install/metrics_api.ts";
import { type ApiObject, isOurs, TLS_SECRET } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { METRICS_API_MS, PROGRESS_LOOK_MS } from "../limits.ts";

export async function switchMetricsApi(
  isEnabled: boolean,
  options: ClusterOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  await withCluster(options, environment, async (client) => {
    const api = await registration(client);
    const found = await findObject(client, api);
    if (found !== null && !isOurs(found)) {
      throw new CommandFailure(`APIService ${api.metadata.name} is not Weft's`, {
        hint: "Another program serves the SMI metrics API here: take its registration out first.",
      });
    }
    if (!isEnabled) {
      const isRemoved = await removeObject(client, api);
      stdout.line(isRemoved ? "SMI metrics API disabled" : "SMI metrics API was not enabled");
      return;
    }
    await applyObject(client, api);
    await untilAvailable(client, api);
    stdout.line("SMI metrics API enabled: kubectl get --raw /apis/metrics.smi-spec.io/v1alpha1");
  });
  return EXIT.ok;
}

async function registration(client: KubeClient): Promise<ApiObject> {
  const [installation] = await installationsIn(client);
  if (installation === undefined) {
    throw new CommandFailure("Weft is not installed in this cluster", {
      hint: "See weft install.",
    });
  }
  const { namespace } = installation;
  const metadata = { name: TLS_SECRET, namespace };
  const secret = await findObject(client, { apiVersion: "v1", kind: "Secret", metadata });
  const authority = textField(fieldsOf(secret?.["data"]), "ca.crt");
  if (authority === undefined) {
    throw new CommandFailure(`Secret ${namespace}/${TLS_SECRET} has no ca.crt`, {
      hint: "See weft check.",
    });
  }
  return metricsApi(namespace, new TextDecoder().decode(Uint8Array.fromBase64(authority)));
}

/** What is not reached is taken back: it would keep namespaces from being deleted. */
async function untilAvailable(client: KubeClient, api: ApiObject): Promise<void> {
  const overMs = performance.now() + METRICS_API_MS;
  for (let said = "";;) {
    const { conditions } = fieldsOf(fieldsOf(await findObject(client, api))["status"]);
    const available = (Array.isArray(conditions) ? conditions.map(fieldsOf) : [])
      .find(({ type }) => type === "Available");
    if (available?.["status"] === "True") return;
    said = textField(available ?? {}, "message") ?? said;
    if (performance.now() >= overMs) {
      await removeObject(client, api);
      throw new CommandFailure(
        `The API server does not reach the controller, so this is taken back: ${said}`,
        {
          hint: "See weft check.",
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
  }
}
