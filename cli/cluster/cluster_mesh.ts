/** What the controllers of a cluster compile: the objects in the mesh's namespaces, and the settings that count for all of them. */
import { CommandFailure } from "../../console/exit.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { membersOf } from "../../controller/install/members.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import { fieldsOf } from "../../controller/kube/fields.ts";
import { MESH_CONFIG, MeshConfigReader } from "../../controller/mesh_config.ts";
import { ClusterTree } from "./cluster_tree.ts";

interface ClusterMesh {
  readonly tree: ClusterTree;
  /** Undefined: the usual one. */
  readonly clusterDomain: string | undefined;
  /** Traffic targets are not enforced. */
  readonly permissive: boolean;
  /** What the mesh does not know is passed on. */
  readonly egress: boolean;
}

/**
 * @throws {CommandFailure} nothing is installed
 * @throws as `KubeClient.call`
 */
export async function readClusterMesh(client: KubeClient): Promise<ClusterMesh> {
  const [installation] = await installationsIn(client);
  if (installation === undefined) {
    throw new CommandFailure("The cluster has no control plane of Weft", {
      hint: "weft install makes one. Manifests are explained without: -f PATH.",
    });
  }
  const { meshName, namespace, clusterDomain, permissive, egress } = installation;
  const members = await membersOf(client, meshName);
  const tree = await ClusterTree.read(client, new Set(members.map(({ name }) => name)));
  const configured = await configuredIn(client, namespace);
  return { tree, clusterDomain, permissive, egress, ...configured };
}

/** What the MeshConfig says of it. */
async function configuredIn(
  client: KubeClient,
  namespace: string,
): Promise<Partial<Pick<ClusterMesh, "permissive" | "egress">>> {
  const path = `/apis/weft.dev/v1alpha1/namespaces/${namespace}/meshconfigs/${MESH_CONFIG}`;
  const object = await client.call("GET", path).catch((error) => {
    if (isNotFound(error)) return null;
    throw error;
  });
  if (object === null) return {};
  const reader = new MeshConfigReader({ changed() {} });
  reader.heard(fieldsOf(object));
  reader.start(namespace);
  const { permissive, egress } = reader.mesh;
  return {
    ...(permissive === undefined ? {} : { permissive }),
    ...(egress === undefined ? {} : { egress }),
  };
}
