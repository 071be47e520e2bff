/**
 * ClusterTree: what a cluster has, as files beside those of this machine. A manifest that is read after them stands in for the object
 * of its name, as `kubectl apply` would have it.
 */
import { countedVersion } from "../../controller/custom_kind.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { KINDS, pluralOf } from "../../schemas/kinds.ts";
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

  /**
   * @param namespaces those whose objects count; null: all
   * @throws as `KubeClient.call`
   */
  static async read(
    client: KubeClient,
    namespaces: ReadonlySet<string> | null,
  ): Promise<ClusterTree> {
    const files = new Map<string, Uint8Array>();
    const counts = (item: JsonFields) => namespaces === null || namespaces.has(namespaceOf(item));
    for (const { kind, apiVersion, path } of CORE_KINDS) {
      const items = (await allItems(client, path)).filter(counts);
      for (let at = 0; at < items.length; at += CLUSTER_FILE_OBJECTS) {
        const some = items.slice(at, at + CLUSTER_FILE_OBJECTS)
          .map((item) => ({ ...withoutRecords(item), apiVersion, kind }));
        const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: some });
        files.set(`${CLUSTER_PREFIX}${kind}-${at}.json`, new TextEncoder().encode(list));
      }
    }
    for (const { kind, group, versions, plural } of await customKinds(client)) {
      for (const version of versions) {
        const apiVersion = `${group}/${version}`;
        const items = await allItems(client, `/apis/${apiVersion}/${plural}`);
        for (const item of items.filter(counts)) {
          if (countedVersion(item, versions) !== version) continue;
          const object = { ...withoutRecords(item), apiVersion, kind };
          const text = JSON.stringify(object, null, 2);
          // Rules are read by people, who are told where in an object they stand.
          files.set(
            `${CLUSTER_PREFIX}${kind}/${placeOf(item)}.json`,
            new TextEncoder().encode(text),
          );
        }
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

interface CustomKind {
  readonly kind: string;
  readonly plural: string;
  readonly group: string;
  /** Oldest first: those that both sides have. */
  readonly versions: readonly string[];
}

/** Those that the cluster knows. */
async function customKinds(client: KubeClient): Promise<CustomKind[]> {
  const known = await Promise.all(KINDS.map(async (each) => {
    const { kind, group, versions } = each;
    const plural = pluralOf(each);
    if (plural === undefined) return [];
    const served = await Promise.all(
      versions.map((version) => isServed(client, `${group}/${version}`, plural)),
    );
    return [{ kind, group, plural, versions: versions.filter((_, at) => served[at]) }];
  }));
  return known.flat();
}

async function isServed(client: KubeClient, apiVersion: string, plural: string): Promise<boolean> {
  const listed = await client.call("GET", `/apis/${apiVersion}`).catch((error) => {
    if (error instanceof KubeError && error.status === 404) return null;
    throw error;
  });
  const resources = fieldsOf(listed)["resources"];
  return Array.isArray(resources) &&
    resources.some((each) => textField(fieldsOf(each), "name") === plural);
}

function namespaceOf(item: JsonFields): string {
  const { namespace, name } = fieldsOf(item["metadata"]);
  return typeof namespace === "string" ? namespace : String(name);
}

function placeOf(item: JsonFields): string {
  return `${namespaceOf(item)}/${textField(fieldsOf(item["metadata"]), "name") ?? ""}`;
}

/** Records of who changed which field takes half of an object. */
function withoutRecords(item: JsonFields): JsonFields {
  const { managedFields: _managedFields, ...metadata } = fieldsOf(item["metadata"]);
  return { ...item, metadata };
}
