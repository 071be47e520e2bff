/** Names that a cluster has, for the shell's completion. What cannot be had in time is not offered, without a word. */
import { parse } from "yaml";
import { readText } from "../../base/read_text.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { Environment } from "../../console/environment.ts";
import { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import type { ClusterName } from "../completion.ts";
import { COMPLETION_MS, COMPLETION_NAMES_MAX } from "../limits.ts";
import { clusterAccess, kubeconfigFiles } from "./access.ts";

/** `words` are the command line: its options say which cluster and namespace. */
export async function namesInCluster(
  wanted: ClusterName,
  words: readonly string[],
  environment: Environment,
): Promise<readonly string[]> {
  const valueOf = (...names: string[]) => {
    const at = words.findLastIndex((word) => names.includes(word));
    return at < 0 || at + 2 > words.length - 1 ? undefined : words[at + 1];
  };
  const kubeconfig = valueOf("--kubeconfig");
  const context = valueOf("--context");
  const namespace = valueOf("-n", "--namespace");
  const names = wanted === "context"
    ? contextNames(kubeconfig === undefined ? kubeconfigFiles(environment) : [kubeconfig])
    : objectNames(wanted, { kubeconfig, context, namespace }, environment);
  return await withDeadline(names.catch(() => []), COMPLETION_MS, () => []);
}

async function contextNames(files: readonly string[]): Promise<string[]> {
  const documents = await Promise.all(
    files.map(async (file) => fieldsOf(parse(await readText(file), { maxAliasCount: 0 }))),
  );
  return documents.flatMap(({ contexts }) =>
    Array.isArray(contexts)
      ? contexts.flatMap((each) => textField(fieldsOf(each), "name") ?? [])
      : []
  );
}

async function objectNames(
  wanted: Exclude<ClusterName, "context">,
  options: {
    kubeconfig: string | undefined;
    context: string | undefined;
    namespace: string | undefined;
  },
  environment: Environment,
): Promise<string[]> {
  const client = new KubeClient(clusterAccess(options, environment), { callMs: COMPLETION_MS });
  try {
    const namespace = await client.namespace();
    const path = {
      namespace: "/api/v1/namespaces",
      pod: `/api/v1/namespaces/${namespace}/pods`,
      trafficsplit: `/apis/split.smi-spec.io/v1alpha4/namespaces/${namespace}/trafficsplits`,
    }[wanted];
    const page = await client.call("GET", `${path}?limit=${COMPLETION_NAMES_MAX}`, {
      accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    });
    const { items } = fieldsOf(page);
    const names = (Array.isArray(items) ? items : [])
      .flatMap((item) => textField(fieldsOf(fieldsOf(item)["metadata"]), "name") ?? []);
    return wanted === "trafficsplit" ? names.map((name) => `trafficsplit/${name}`) : names;
  } finally {
    client.close();
  }
}
