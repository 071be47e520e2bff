/** Where `weft inject` has the settings of a mesh from: a file, or the cluster that it is installed in. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure } from "../../console/exit.ts";
import {
  type InjectionSettings,
  parseInjectionSettings,
} from "../../controller/inject/settings.ts";
import { findObject } from "../../controller/install/cluster.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { INJECTION_CONFIG, INJECTION_KEY } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import { MESH_CONFIG, MeshConfigReader } from "../../controller/mesh_config.ts";
import { everyKubeletIsNative } from "../../controller/kubelets.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";

interface MeshSidecars {
  readonly settings: InjectionSettings;
  /** Every kubelet knows init containers that restart always. */
  readonly nativeIsKnown: boolean;
}

/** Without a cluster kubelets are taken to be 1.29 or later. */
export async function sidecarsOfFile(file: string): Promise<MeshSidecars> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    throw new CommandFailure(`Cannot read the settings ${file}: ${(error as Error).message}`);
  }
  let problem = "they have no controllerCa, without which no sidecar knows its controller";
  try {
    const settings = parseInjectionSettings(text);
    if (settings.controllerCa !== "") return { settings, nativeIsKnown: true };
  } catch (error) {
    problem = (error as Error).message;
  }
  throw new CommandFailure(`The settings ${file} are of no use: ${problem}`, {
    hint: "weft help inject says how to get them.",
  });
}

export async function sidecarsOfCluster(
  options: ClusterOptions,
  environment: Environment,
): Promise<MeshSidecars> {
  return await withCluster(options, environment, async (client) => {
    return {
      settings: await settingsIn(client),
      nativeIsKnown: await everyKubeletIsNative(client),
    };
  });
}

async function settingsIn(client: KubeClient): Promise<InjectionSettings> {
  const [installation, ...others] = await installationsIn(client);
  if (installation === undefined || others.length > 0) {
    const isNone = installation === undefined;
    throw new CommandFailure(
      isNone ? "No mesh is installed in this cluster" : "More than one mesh is installed here",
      { hint: "Install one with weft install, or give --settings FILE." },
    );
  }
  const { namespace } = installation;
  const settings = await settingsOfMesh(client, namespace);
  if (settings !== null) return settings;
  throw new CommandFailure(`ConfigMap ${namespace}/${INJECTION_CONFIG} says nothing of sidecars`, {
    hint: "weft upgrade writes it again.",
  });
}

/** What the webhook goes by: what was installed, and what a MeshConfig says in its place. Null: nothing was. */
export async function settingsOfMesh(
  client: KubeClient,
  namespace: string,
): Promise<InjectionSettings | null> {
  const find = (apiVersion: string, kind: string, name: string) =>
    findObject(client, { apiVersion, kind, metadata: { name, namespace } });
  const [installed, changed] = await Promise.all([
    find("v1", "ConfigMap", INJECTION_CONFIG),
    find("weft.dev/v1alpha1", "MeshConfig", MESH_CONFIG),
  ]);
  const text = textField(fieldsOf(installed?.["data"]), INJECTION_KEY);
  if (text === undefined) return null;
  const config = new MeshConfigReader({ changed() {} });
  if (changed !== null) config.heard(changed);
  config.start(namespace);
  return { ...parseInjectionSettings(text), ...config.injection };
}
