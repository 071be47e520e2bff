/**
 * ClusterTree: what a cluster has, as files beside those of this machine. A manifest that is read after them stands in for the object
 * of its name, as `kubectl apply` would have it.
 */
import { allItems } from "../../controller/kube/pages.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { type Kind, KINDS } from "../../schemas/kinds.ts";
import { definitionOf } from "../../schemas/crds/definitions.ts";
import { DISK, type FileFacts, type FileTree } from "../../schemas/source.ts";
import { CLUSTER_FILE_OBJECTS } from "../limits.ts";

/** Before the names of files that are none. */
export const CLUSTER_PREFIX = "cluster:";

/** Kinds of Kubernetes' own that have a say in where requests go, by their path. */
const CORE_KINDS = [
  { kind: "Namespace", apiVersion: "v1", path: "/api/v1/namespaces" },
  { kind: "Service", apiVersion: "v1", path: "/api/v1/services" },
  { kind: "Pod", apiVersion: "v1", path: "/api/v1/pods" },
  {
    kind: "EndpointSlice",
    apiVersion: "discovery.k8s.io/v1",
    path: "/apis/discovery.k8s.io/v1/endpointslices",
  },
] as const;

export class ClusterTree implements FileTree {
  readonly prefix = "";
  readonly #files: ReadonlyMap<string, Uint8Array>;

  private constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
  }

  /** @throws as `KubeClient.call` */
  static async read(client: KubeClient): Promise<ClusterTree> {
    const files = new Map<string, Uint8Array>();
    for (const { kind, apiVersion, path } of [...CORE_KINDS, ...await customKinds(client)]) {
      const items = await allItems(client, path);
      for (let at = 0; at < items.length; at += CLUSTER_FILE_OBJECTS) {
        const some = items.slice(at, at + CLUSTER_FILE_OBJECTS)
          .map((item) => ({ ...withoutRecords(item), apiVersion, kind }));
        const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: some });
        files.set(`${CLUSTER_PREFIX}${kind}-${at}.json`, new TextEncoder().encode(list));
      }
    }
    return new ClusterTree(files);
  }

  get paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  stat(path: string): Promise<FileFacts> {
    const file = this.#files.get(path);
    return file === undefined
      ? DISK.stat(path)
      : Promise.resolve({ isFile: true, isDirectory: false, size: file.length });
  }

  readDir(path: string): ReturnType<FileTree["readDir"]> {
    return DISK.readDir(path);
  }

  readFile(path: string): Promise<Uint8Array> {
    const file = this.#files.get(path);
    return file === undefined ? DISK.readFile(path) : Promise.resolve(file);
  }
}

/** Those that the cluster knows, by the newest version that both sides have. */
async function customKinds(
  client: KubeClient,
): Promise<{ kind: string; apiVersion: string; path: string }[]> {
  const known = await Promise.all(KINDS.map(async (kind) => {
    const plural = definitionOf(kind.kind)?.spec.names.plural;
    if (plural === undefined) return null;
    const version = await servedVersion(client, kind, plural);
    if (version === null) return null;
    const apiVersion = `${kind.group}/${version}`;
    return { kind: kind.kind, apiVersion, path: `/apis/${apiVersion}/${plural}` };
  }));
  return known.filter((each) => each !== null);
}

/** Null: the cluster has no such kind. */
async function servedVersion(
  client: KubeClient,
  { group, versions }: Kind,
  plural: string,
): Promise<string | null> {
  for (const version of versions.toReversed()) {
    const path = `/apis/${group}/${version}`;
    const listed = await client.call("GET", path).catch((error) => {
      if (error instanceof KubeError && error.status === 404) return null;
      throw error;
    });
    const resources = fieldsOf(listed)["resources"];
    if (!Array.isArray(resources)) continue;
    if (resources.some((each) => textField(fieldsOf(each), "name") === plural)) return version;
  }
  return null;
}

/** Records of who changed which field takes half of an object. */
function withoutRecords(item: JsonFields): JsonFields {
  const { managedFields: _managedFields, ...metadata } = fieldsOf(item["metadata"]);
  return { ...item, metadata };
}
