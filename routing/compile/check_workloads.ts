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
  Workload,
} from "../../schemas/resources.ts";
import type { Catalog } from "./catalog.ts";
import { keyOf, ownerKey } from "./keys.ts";
import { type Findings, quoted, quotedList } from "./findings.ts";

/** What makes pods, or is one. */
interface PodSource {
  readonly meta: Meta;
  readonly template: PodTemplate;
  /** Of the pod's spec in it. */
  readonly at: FieldPath;
}

interface WorkloadCheck {
  readonly catalog: Catalog;
  /** Traffic targets are not enforced. */
  readonly permissive: boolean;
  readonly findings: Findings;
}

/** The outermost owners alone: a Finding names what a person edits, and once. */
export function checkWorkload(workload: Pod | Workload, check: WorkloadCheck): void {
  const { catalog, permissive, findings } = check;
  const { meta, template, owner } = workload;
  if (owner !== undefined && catalog.hasWorkload(ownerKey(meta, owner))) return;
  const at = "replicas" in workload
    ? [...workload.templateAt ?? ["spec", "template"], "spec"]
    : ["spec"];
  const source = { meta, template, at };
  if (!wantsSidecar(source, catalog)) return;
  if (template.hostNetwork === true) {
    reportHostNetwork(source, findings);
    if (!permissive) reportUnenforced(source, catalog, findings);
  } else for (const id of ["user", "group"] as const) checkUser(source, id, findings);
}

/** Whether there may be anything to say of it: of thousands of pods there is not. */
export function mayBypassMesh({ template }: Pod | Workload): boolean {
  const runsAsProxy = ({ runsAs }: { readonly runsAs?: RunsAs }) =>
    runsAs?.user === PROXY_USER_ID || runsAs?.group === PROXY_USER_ID;
  return template.hostNetwork === true || runsAsProxy(template) ||
    template.containers.some(runsAsProxy);
}

const INJECTION = "weft.dev/sidecar-injection";
const NO_WORDS = ["disabled", "no", "false"];
/** No pod of these is ever given a sidecar. */
const SYSTEM_NAMESPACES = ["kube-system", "kube-public", "kube-node-lease", "weft-system"];

/** False: the pods are not expected to be in the mesh. The pods' own word counts before their namespace's. */
function wantsSidecar({ meta, template }: PodSource, { namespaces }: Catalog): boolean {
  if (SYSTEM_NAMESPACES.includes(meta.namespace)) return false;
  const namespace = namespaces.get("", meta.namespace);
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
  catalog: Catalog,
  findings: Findings,
): void {
  const account = keyOf(meta.namespace, template.serviceAccount || "default");
  for (const { meta: targetMeta, destination } of catalog.targetsCalling(account)) {
    if (destination.kind !== "ServiceAccount") continue;
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
