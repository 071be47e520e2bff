/** The work of `weft uninstall`: the reverse of an installation; what the API server asks controllers for goes first. */
import { withDeadline } from "../../base/deadline.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { findObject, type Named, removeObject } from "../../controller/install/cluster.ts";
import { definitions, isForeign } from "../../controller/install/definitions.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { membersOf, setMember } from "../../controller/install/members.ts";
import { remainsOf } from "../../controller/install/remains.ts";
import { WEFT_NAMESPACE } from "../../controller/install/values.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { PROGRESS_LOOK_MS } from "../limits.ts";
import { refuseHelms } from "./install.ts";

interface UninstallOptions extends ClusterOptions {
  readonly crds: boolean;
  readonly timeout: string;
}

export async function uninstall(
  options: UninstallOptions,
  environment: Environment,
): Promise<ExitCode> {
  const limitMs = parseTimeLimitMs(options.timeout);
  const { stdout } = environment;
  const namespace = await withCluster(options, environment, async (client) => {
    const { namespace, mesh } = await placeOf(client, options.namespace);
    const remains: readonly Named[] = [
      ...await remainsOf(client, namespace),
      ...options.crds ? await ownDefinitions(client) : [],
    ];
    if (remains.length === 0) throw new CommandFailure("Weft is not installed in this cluster");
    for (const object of remains) {
      if (await removeObject(client, object)) {
        stdout.line(`Removed ${object.kind} ${object.metadata.name}`);
      }
    }
    await takeOutMembers(client, mesh, environment);
    await untilGone(client, { remains, namespace, limitMs });
    return namespace;
  });
  stdout.line(`Weft uninstalled from namespace [${namespace}]`);
  return EXIT.ok;
}

/** Where it is, as its controllers or the command line say. Of one that is half removed no controller is left. */
async function placeOf(
  client: KubeClient,
  wanted: string | undefined,
): Promise<{ namespace: string; mesh: string | undefined }> {
  const found = await installationsIn(client);
  const chosen = found.find(({ namespace }) => wanted === undefined || namespace === wanted);
  if (chosen === undefined && found.length > 0) {
    throw new CommandFailure(`There is no installation of Weft in namespace [${wanted}]`, {
      hint: `It is in ${found.map(({ namespace }) => namespace).join(", ")}.`,
    });
  }
  if (chosen !== undefined) refuseHelms(chosen);
  return { namespace: chosen?.namespace ?? wanted ?? WEFT_NAMESPACE, mesh: chosen?.meshName };
}

async function ownDefinitions(client: KubeClient): Promise<Named[]> {
  const own: Named[] = [];
  for (const definition of definitions()) {
    if (!await isForeign(client, definition) && await findObject(client, definition) !== null) {
      own.push(definition);
    }
  }
  return own;
}

/** Labels that say a mesh which is no longer there would be left behind, and join the next one unasked. */
async function takeOutMembers(
  client: KubeClient,
  mesh: string | undefined,
  { stdout, stderr }: Environment,
): Promise<void> {
  if (mesh === undefined) return;
  const members = await membersOf(client, mesh);
  for (const { name } of members) {
    await setMember(client, name, null);
    stdout.line(`Namespace [${name}] taken out of mesh [${mesh}]`);
  }
  if (members.length === 0) return;
  stderr.line(
    "  Pods that have sidecars keep them until they are made anew: kubectl rollout restart deployment -n NAMESPACE",
  );
}

interface Removal {
  readonly remains: readonly Named[];
  readonly namespace: string;
  readonly limitMs: number;
}

async function untilGone(
  client: KubeClient,
  { remains, namespace, limitMs }: Removal,
): Promise<void> {
  let isLate = false;
  let left = "";
  const waiting = async () => {
    for (const object of remains) {
      left = `${object.kind} ${object.metadata.name}`;
      while (!isLate && await findObject(client, object) !== null) {
        await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
      }
    }
  };
  await withDeadline(waiting(), limitMs, () => {
    isLate = true;
  });
  if (!isLate) return;
  throw new CommandFailure(`${left} was not gone in time (--timeout)`, {
    hint: `See kubectl get namespace ${namespace} -o yaml for what it waits for.`,
  });
}
