/**
 * The work of `weft status --plain`: who calls the workloads of a namespace without mutual TLS. Sidecars of those who are called know callers
 * by address; the API server knows which pod has an address now.
 */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import { ownerOf } from "../../controller/inject/workload.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import { sidecarOf } from "../../controller/kube/pod_containers.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { PLAIN_CALLERS_MAX } from "../limits.ts";
import { meshPods, sidecarTexts } from "../traffic/sample.ts";
import type { StatusOptions } from "./ask.ts";

/** Calls since the sidecars of the called pods have started. */
interface PlainCalls {
  /** An address. */
  readonly address: string;
  /** `namespace/Kind/name`. */
  readonly called: string;
  readonly accepted: number;
  readonly refused: number;
}

interface PlainCaller extends PlainCalls {
  /** `namespace/Kind/name`, `node/NAME` for what is on a node's own network; null: no pod has the address now. */
  readonly caller: string | null;
  /** It has a sidecar, and calls past it or what its sidecar calls in plain. */
  readonly hasSidecar: boolean;
}

export async function showPlainCallers(
  options: StatusOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  const { callers, silent } = await withCluster(
    options,
    environment,
    async (client) => await plainCallers(client, options.namespace ?? await client.namespace()),
  );
  if (silent > 0) stderr.line(`${silent} sidecars did not answer`);
  if (options.output === "json") stdout.line(JSON.stringify(callers, null, 2));
  else if (callers.length === 0) stderr.line("Nothing has called this namespace in plain");
  else {
    const heads = ["CALLER", "ADDRESS", "SIDECAR", "CALLED", "ACCEPTED", "REFUSED"];
    const rows = callers.map(({ caller, address, hasSidecar, called, accepted, refused }) => [
      ...[caller ?? "unknown", address, hasSidecar ? "yes" : "no", called],
      ...[String(accepted), String(refused)],
    ]);
    stdout.write(renderTable(stdout, heads, rows));
  }
  return EXIT.ok;
}

/** Those who call most first. */
export async function plainCallers(
  client: KubeClient,
  namespace: string,
): Promise<{ readonly callers: readonly PlainCaller[]; readonly silent: number }> {
  const sums = new Map<string, { accepted: number; refused: number }>();
  let silent = 0;
  for await (const { pod, text } of sidecarTexts(client, await meshPods(client, namespace))) {
    if (text === null) silent++;
    for (const { address, accepted, refused } of plainCallsIn(text ?? "")) {
      const key = `${address} ${pod.namespace}/${pod.workload}`;
      const sum = sums.get(key) ?? { accepted: 0, refused: 0 };
      sums.set(key, { accepted: sum.accepted + accepted, refused: sum.refused + refused });
    }
  }
  const calls = [...sums].map(([key, counts]): PlainCalls => {
    const [address, called] = key.split(" ");
    return { address, called, ...counts };
  }).toSorted((a, b) => b.accepted + b.refused - a.accepted - a.refused);
  const addresses = [...new Set(calls.map(({ address }) => address))].slice(0, PLAIN_CALLERS_MAX);
  const owners = new Map<string, Owner>();
  for (const address of addresses) owners.set(address, await ownerAt(client, address));
  const callers = calls.map((each) => ({ ...each, ...owners.get(each.address) ?? UNKNOWN }));
  return { callers, silent };
}

const SERIES =
  /^weft_inbound_plaintext_total\{source="([^"\\]*)",outcome="(accepted|refused)"\} (\d+)$/gm;

function plainCallsIn(metrics: string): Omit<PlainCalls, "called">[] {
  return Array.from(metrics.matchAll(SERIES), ([, address, outcome, count]) => ({
    address,
    accepted: outcome === "accepted" ? Number(count) : 0,
    refused: outcome === "refused" ? Number(count) : 0,
  }));
}

type Owner = Pick<PlainCaller, "caller" | "hasSidecar">;

const UNKNOWN: Owner = { caller: null, hasSidecar: false };

/** An address may have been another pod's when it called. */
async function ownerAt(client: KubeClient, address: string): Promise<Owner> {
  const query = new URLSearchParams({
    fieldSelector: `status.podIP=${address},status.phase=Running`,
    limit: "1",
  });
  try {
    const { items } = fieldsOf(await client.call("GET", `/api/v1/pods?${query}`));
    const [pod] = Array.isArray(items) ? items.map(fieldsOf) : [];
    if (pod === undefined) return UNKNOWN;
    const [metadata, spec] = [fieldsOf(pod["metadata"]), fieldsOf(pod["spec"])];
    const hasSidecar = sidecarOf(pod) !== undefined;
    if (spec["hostNetwork"] === true) {
      return { caller: `node/${textField(spec, "nodeName")}`, hasSidecar };
    }
    return { caller: `${textField(metadata, "namespace")}/${ownerOf(metadata)}`, hasSidecar };
  } catch (error) {
    // Who may look at one namespace only sees addresses.
    if (error instanceof KubeError && error.status === 403) return UNKNOWN;
    throw error;
  }
}
