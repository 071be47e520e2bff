/**
 * Finds pods whose connections go past the mesh: those of the proxy's own user, and those on the network of their
 * node, where no sidecar can be. Changes nothing in the plan.
 */
import type { FieldPath } from "../../base/finding.ts";
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import type {
  Container,
  Meta,
  Pod,
  PodTemplate,
  RunsAs,
  Snapshot,
  TrafficTarget,
} from "../../schemas/resources.ts";
import { keyOf } from "./catalog.ts";
import { type Findings, quoted, quotedList } from "./findings.ts";

/** What makes pods, or is one. */
interface PodSource {
  readonly meta: Meta;
  readonly template: PodTemplate;
  /** Of the pod's spec in it. */
  readonly at: FieldPath;
}

interface WorkloadCheck {
  readonly snapshot: Snapshot;
  /** Traffic targets are not enforced. */
  readonly permissive: boolean;
  readonly findings: Findings;
}

export function checkWorkloads({ snapshot, permissive, findings }: WorkloadCheck): void {
  for (const source of podSources(snapshot)) {
    if (!wantsSidecar(source, snapshot)) continue;
    if (source.template.hostNetwork === true) {
      reportHostNetwork(source, findings);
      if (!permissive) reportUnenforced(source, snapshot.trafficTargets, findings);
    } else for (const id of ["user", "group"] as const) checkUser(source, id, findings);
  }
}

/** The outermost owners: a Finding names what a person edits, and once. */
function podSources({ workloads, pods }: Snapshot): PodSource[] {
  const known = new Set(
    workloads.map(({ meta, kind }) => ownerKey(meta, { kind, name: meta.name })),
  );
  const isMade = ({ meta, owner }: { readonly meta: Meta; readonly owner?: Pod["owner"] }) =>
    owner !== undefined && known.has(ownerKey(meta, owner));
  const sourcesOf = (
    resources: readonly { readonly meta: Meta; readonly template: PodTemplate }[],
    at: FieldPath,
  ) => resources.map(({ meta, template }) => ({ meta, template, at }));
  return [
    ...sourcesOf(workloads.filter((each) => !isMade(each)), ["spec", "template", "spec"]),
    ...sourcesOf(pods.filter((each) => !isMade(each)), ["spec"]),
  ];
}

function ownerKey({ namespace }: Meta, { kind, name }: NonNullable<Pod["owner"]>): string {
  return `${kind} ${keyOf(namespace, name)}`;
}

const INJECTION = "weft.dev/sidecar-injection";
const NO_WORDS = ["disabled", "no", "false"];
/** No pod of these is ever given a sidecar. */
const SYSTEM_NAMESPACES = ["kube-system", "kube-public", "kube-node-lease", "weft-system"];

/** False: the pods are not expected to be in the mesh. The pods' own word counts before their namespace's. */
function wantsSidecar({ meta, template }: PodSource, { namespaces }: Snapshot): boolean {
  if (SYSTEM_NAMESPACES.includes(meta.namespace)) return false;
  const namespace = namespaces.find(({ meta: { name } }) => name === meta.namespace);
  const word = template.annotations[INJECTION] ?? namespace?.meta.annotations[INJECTION];
  return word === undefined || !NO_WORDS.includes(word.toLowerCase());
}

function checkUser({ meta, template, at }: PodSource, id: keyof RunsAs, findings: Findings): void {
  const own = template.runsAs?.[id];
  const field = id === "user" ? "runAsUser" : "runAsGroup";
  const report = (path: FieldPath, names: readonly string[]) =>
    findings.add({
      code: "workload-bypasses-mesh",
      meta,
      path: [...at, ...path, "securityContext", field],
      message:
        `${id === "user" ? "User" : "Group"} ${PROXY_USER_ID} is the sidecar's own, so what ` +
        `${names.length === 1 ? "container" : "containers"} ${quotedList(names)} ` +
        `${names.length === 1 ? "sends" : "send"} goes past the mesh`,
      hint: `Write another number than ${PROXY_USER_ID}`,
    });
  const inheriting: string[] = [];
  for (const [index, container] of template.containers.entries()) {
    if (isSidecar(container) || (container.runsAs?.[id] ?? own) !== PROXY_USER_ID) continue;
    if (container.runsAs?.[id] === undefined) inheriting.push(container.name);
    else report(["containers", index], [container.name]);
  }
  if (inheriting.length > 0) report([], inheriting);
}

/** `weft proxy …`, with or without the executable's name. */
function isSidecar({ command }: Container): boolean {
  const [first = "", second] = command;
  return first === "proxy" || (/(^|\/)weft$/.test(first) && second === "proxy");
}

function reportHostNetwork({ meta, at }: PodSource, findings: Findings): void {
  findings.add({
    code: "workload-host-network",
    meta,
    path: [...at, "hostNetwork"],
    message:
      `${meta.kind} ${quoted(meta.name)} uses the network of its node, where no sidecar can ` +
      "be, so what it sends goes past the mesh",
    hint:
      `Remove "hostNetwork", or say with the annotation ${INJECTION}: disabled that it is meant so`,
  });
}

/** Targets are enforced beside the application that is called. */
function reportUnenforced(
  { meta, template }: PodSource,
  targets: readonly TrafficTarget[],
  findings: Findings,
): void {
  for (const { meta: targetMeta, destination } of targets) {
    const namespace = destination.namespace || targetMeta.namespace;
    const isCalled = destination.kind === "ServiceAccount" && namespace === meta.namespace &&
      destination.name === (template.serviceAccount || "default");
    if (!isCalled) continue;
    findings.add({
      code: "target-not-enforced",
      meta: targetMeta,
      path: [...destination.at, "name"],
      message:
        `Every caller may call ${meta.kind} ${
          quoted(meta.name)
        }: it uses the network of its node, ` +
        "where no sidecar can be",
      hint: 'Remove "hostNetwork" there, or give it another service account',
    });
  }
}
