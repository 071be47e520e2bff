/** Whether a pod gets a sidecar. Says why not, in words for its owner. Pure. */
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import { allContainers, type ObjectMeta, type PodObject } from "./pod.ts";

export const INIT_NAME = "weft-init";
export const PROXY_NAME = "weft-proxy";

/** A label counts before an annotation: only labels can be selected on. */
const OPT_OUT = "weft.dev/inject";
/** As FSM's users write it, on a pod or its namespace, in either spelling. */
const INJECTION = ["weft.dev/sidecar-injection", "flomesh.io/sidecar-injection"];

const NO = new Set(["false", "no", "disabled"]);
const YES = new Set(["true", "yes", "enabled"]);

/** The containers that sidecars of other meshes have. */
const OTHER_SIDECARS: Readonly<Record<string, string>> = {
  "istio-proxy": "Istio",
  "linkerd-proxy": "Linkerd",
  "kuma-sidecar": "Kuma",
};

export type SidecarChoice =
  | { readonly kind: "inject" }
  | { readonly kind: "leave"; readonly reason: string }
  /** The pod must not start as it is. */
  | { readonly kind: "refuse"; readonly message: string };

export function choose(pod: PodObject, namespace: ObjectMeta): SidecarChoice {
  const reason = whyLeft(pod, namespace);
  if (reason !== null) return { kind: "leave", reason };
  const message = whyRefused(pod);
  return message === null ? { kind: "inject" } : { kind: "refuse", message };
}

function whyLeft(pod: PodObject, namespace: ObjectMeta): string | null {
  const { spec, metadata = {} } = pod;
  if (spec.hostNetwork === true) return "it is on its node's network, which would be captured";
  if (metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) {
    return "it is a static pod, which exists already";
  }
  if (spec.os?.name === "windows" || spec.nodeSelector?.["kubernetes.io/os"] === "windows") {
    return "it runs on Windows";
  }
  const names = allContainers(pod).map(({ name }) => name);
  if (names.includes(PROXY_NAME)) return "it has a sidecar";
  const other = names.find((name) => Object.hasOwn(OTHER_SIDECARS, name));
  if (other !== undefined) return `it has a sidecar of ${OTHER_SIDECARS[other]}`;
  const wish = wishOf(metadata) ?? wishOf(namespace) ?? true;
  return wish ? null : "it is asked for no sidecar";
}

/** What labels and annotations ask for; undefined: nothing. */
function wishOf({ labels = {}, annotations = {} }: ObjectMeta): boolean | undefined {
  const asked = [labels[OPT_OUT], annotations[OPT_OUT], ...INJECTION.map((key) => annotations[key])]
    .map((value) => value?.toLowerCase());
  const answer = asked.find((value) => value !== undefined && (NO.has(value) || YES.has(value)));
  return answer === undefined ? undefined : YES.has(answer);
}

/** What runs as the proxy's user or group is taken for the proxy. */
function whyRefused(pod: PodObject): string | null {
  const { runAsUser, runAsGroup } = pod.spec.securityContext ?? {};
  for (const { name, securityContext } of allContainers(pod)) {
    const user = securityContext?.runAsUser ?? runAsUser;
    const group = securityContext?.runAsGroup ?? runAsGroup;
    if (user !== PROXY_USER_ID && group !== PROXY_USER_ID) continue;
    const which = user === PROXY_USER_ID ? "user" : "group";
    return `container "${name}" runs as ${which} ${PROXY_USER_ID}, which is the sidecar's: its connections would go past the mesh. ` +
      `Give it another ${which}, or opt out with the label ${OPT_OUT}: "false"`;
  }
  return null;
}
