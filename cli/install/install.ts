/** The work of `weft install`: renders, applies in order, waits until the controller serves, then lets it answer for pods. */
import { stringify } from "yaml";
import { withDeadline } from "../../base/deadline.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import type { Output } from "../../console/output.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import {
  applyObject,
  findObject,
  progressOf,
  troublesOf,
} from "../../controller/install/cluster.ts";
import { definitions, isForeign } from "../../controller/install/definitions.ts";
import { keysFor, newKeys } from "../../controller/install/keys.ts";
import { type ApiObject, CONTROLLER, controlPlane } from "../../controller/install/objects.ts";
import { webhooks } from "../../controller/install/webhooks.ts";
import { type InstallValues, readValues, WEFT_NAMESPACE } from "../../controller/install/values.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { PROGRESS_LOOK_MS } from "../limits.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";

interface InstallOptions extends ClusterOptions {
  readonly timeout: string;
  readonly image?: string | undefined;
  readonly meshName?: string | undefined;
  readonly set: readonly string[];
  readonly dryRun: boolean;
}

export async function install(
  options: InstallOptions,
  environment: Environment,
): Promise<ExitCode> {
  const values = valuesOf(options);
  const limitMs = parseTimeLimitMs(options.timeout);
  const { stdout } = environment;
  if (options.dryRun) {
    const keys = await newKeys();
    const objects = [
      ...definitions(),
      ...controlPlane(values, keys),
      ...webhooks(values, keys),
    ];
    stdout.write(objects.map((object) => stringify(object)).join("---\n"));
    return EXIT.ok;
  }
  await withCluster(options, environment, async (client) => {
    await applyDefinitions(client, environment);
    const keys = await keysFor(client);
    const objects = controlPlane(values, keys);
    for (const object of objects) await applyObject(client, object);
    stdout.line(`Control plane: ${objects.length} objects applied in namespace ${WEFT_NAMESPACE}`);
    await waitForController(client, limitMs, stdout);
    for (const object of webhooks(values, keys)) await applyObject(client, object);
    stdout.line("Injection: pods of namespaces in the mesh get sidecars from now on");
  });
  stdout.line(
    `Weft installed successfully in namespace [${WEFT_NAMESPACE}] with mesh name [${values.injection.meshName}]`,
  );
  return EXIT.ok;
}

function valuesOf({ image, meshName, set }: InstallOptions): InstallValues {
  // Commas and braces have a meaning in --set only.
  const flags = [
    ...(image === undefined ? [] : [`image=${image}`]),
    ...(meshName === undefined ? [] : [`meshName=${meshName}`]),
  ];
  try {
    return readValues([...set, ...flags]);
  } catch (error) {
    throw usageFailure(error instanceof Error ? error.message : String(error));
  }
}

async function applyDefinitions(
  client: KubeClient,
  { stdout, stderr }: Environment,
): Promise<void> {
  let count = 0;
  for (const definition of definitions()) {
    if (await isForeign(client, definition)) {
      stderr.line(`Left alone: ${definition.metadata.name}, which was not installed by Weft`);
      continue;
    }
    await applyObject(client, definition);
    count++;
  }
  stdout.line(`Definitions: ${count} applied`);
}

/** Says how far it is whenever that changes. */
async function waitForController(
  client: KubeClient,
  limitMs: number,
  stdout: Output,
): Promise<void> {
  const metadata = { name: CONTROLLER, namespace: WEFT_NAMESPACE };
  const deployment: Pick<ApiObject, "apiVersion" | "kind" | "metadata"> = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
  };
  let isLate = false;
  const waiting = async () => {
    for (let said = "";;) {
      const { ready, wanted, isDone } = progressOf(await findObject(client, deployment) ?? {});
      const line = `${CONTROLLER}: ${ready} of ${wanted} ready`;
      if (line !== said && !isLate) stdout.line(line);
      said = line;
      if (isDone) return true;
      if (isLate) return false;
      await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
    }
  };
  const isDone = await withDeadline(waiting(), limitMs, () => {
    isLate = true;
    return false;
  });
  if (isDone) return;
  const troubles = await troublesOf(client, WEFT_NAMESPACE, CONTROLLER).catch(() => []);
  throw new CommandFailure(`${CONTROLLER} was not ready in time (--timeout)`, {
    hint: troubles.join("\n  ") ||
      `See kubectl get pods -n ${WEFT_NAMESPACE}; weft install may be run again.`,
  });
}
