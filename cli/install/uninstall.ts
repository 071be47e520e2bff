/** The work of `weft uninstall`: the reverse of an installation, webhook first. */
import { withDeadline } from "../../base/deadline.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { findObject, removeObject } from "../../controller/install/cluster.ts";
import { definitions, isForeign } from "../../controller/install/definitions.ts";
import { type ApiObject, clusterObjects } from "../../controller/install/objects.ts";
import { WEFT_NAMESPACE } from "../../controller/install/values.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { PROGRESS_LOOK_MS } from "../limits.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";

interface UninstallOptions extends ClusterOptions {
  readonly crds: boolean;
  readonly timeout: string;
}

type Named = Pick<ApiObject, "apiVersion" | "kind" | "metadata">;

export async function uninstall(
  options: UninstallOptions,
  environment: Environment,
): Promise<ExitCode> {
  const limitMs = parseTimeLimitMs(options.timeout);
  const { stdout } = environment;
  await withCluster(options, environment, async (client) => {
    const removed: Named[] = [];
    for (const object of clusterObjects()) {
      if (await removeObject(client, object)) removed.push(object);
    }
    if (options.crds) {
      for (const definition of definitions()) {
        if (await isForeign(client, definition)) continue;
        if (await removeObject(client, definition)) removed.push(definition);
      }
    }
    if (removed.length === 0) throw new CommandFailure("Weft is not installed in this cluster");
    for (const { kind, metadata } of removed) stdout.line(`Removed ${kind} ${metadata.name}`);
    await untilGone(client, removed, limitMs);
  });
  stdout.line(`Weft uninstalled from namespace [${WEFT_NAMESPACE}]`);
  return EXIT.ok;
}

async function untilGone(
  client: KubeClient,
  objects: readonly Named[],
  limitMs: number,
): Promise<void> {
  let isLate = false;
  const waiting = async () => {
    for (const object of objects) {
      while (!isLate && await findObject(client, object) !== null) {
        await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
      }
    }
  };
  await withDeadline(waiting(), limitMs, () => {
    isLate = true;
  });
  if (!isLate) return;
  throw new CommandFailure("Some of it was not gone in time (--timeout)", {
    hint: `See kubectl get namespace ${WEFT_NAMESPACE} -o yaml for what it waits for.`,
  });
}
