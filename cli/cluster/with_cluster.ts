/** A cluster that a command works on: reached as kubectl would, and what goes wrong is one line with a way out. */
import { TIMER_MS_MAX } from "../../base/limits.ts";
import { causeText } from "../../base/text.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure } from "../../console/exit.ts";
import { KubeClient, KubeError } from "../../controller/kube/client.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { CALL_MS } from "../../controller/limits.ts";
import { clusterAccess } from "./access.ts";
import type { ClusterOptions } from "./options.ts";

/** Runs `work`, and turns what the API server says into the command's own failure. */
export async function withCluster<T>(
  options: ClusterOptions,
  environment: Environment,
  work: (client: KubeClient) => Promise<T>,
): Promise<T> {
  const { requestTimeout } = options;
  const callMs = requestTimeout === undefined ? CALL_MS : callLimitMs(requestTimeout);
  const client = new KubeClient(clusterAccess(options, environment), { callMs });
  try {
    return await work(client);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw failureOf(error);
  } finally {
    client.close();
  }
}

/** As kubectl takes it: also seconds without a unit. */
function callLimitMs(text: string): number {
  const limitMs = parseTimeLimitMs(/^\d+$/.test(text) ? `${text}s` : text);
  return limitMs === Infinity ? TIMER_MS_MAX : limitMs;
}

function failureOf(error: unknown): CommandFailure {
  if (error instanceof KubeError) {
    const hint = error.status === 401 || error.status === 403
      ? "The user of the kubeconfig may not do this: take one who administers the cluster."
      : "";
    return new CommandFailure(`The API server refused: ${error.message}`, { hint });
  }
  const [reason] = causeText(error).split("\n");
  return new CommandFailure(`Could not access the Kubernetes cluster: ${reason}`, {
    hint: "Check --kubeconfig, KUBECONFIG and --context; kubectl cluster-info has to work too.",
  });
}
