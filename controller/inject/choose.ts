/** Whether a pod gets a sidecar. Says why not, in words for its owner. Pure. */
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import { INIT_NAME, PROXY_NAME } from "../../base/sidecar_pod.ts";
import { allContainers, type ObjectMeta, type PodObject } from "./pod.ts";

export const VOLUME_NAME = "weft-run";

/** A label counts before an annotation: only labels can be selected on. */
const OPT_OUT = "weft.dev/inject";
/** As FSM's users write it, on a pod or its namespace, in either spelling. */
const INJECTION = ["weft.dev/sidecar-injection", "flomesh.io/sidecar-injection"];

const NO = new Set(["false", "no", "disabled"]);
const YES = new Set(["true", "yes", "enabled"]);

/** The containers that other meshes add, of which one is enough: two meshes cannot capture one pod. */
const OTHER_SIDECARS: Readonly<Record<string, string>> = {
  "istio-proxy": "Istio",
  "istio-init": "Istio",
  "linkerd-proxy": "Linkerd",
  "linkerd-init": "Linkerd",
  "kuma-sidecar": "Kuma",
  "kuma-init": "Kuma",
  "fsm-init": "FSM",
  "osm-init": "OSM",
  "consul-dataplane": "Consul",
  "consul-connect-inject-init": "Consul",
};

export type SidecarChoice =
  | { readonly kind: "inject" }
  /** It has our sidecar. */
  | { readonly kind: "injected" }
  | {
    readonly kind: "leave";
    readonly reason: string;
    /** Its owner has asked for that, or can do nothing about it. */
    readonly isExpected: boolean;
  }
  /** The pod must not start as it is. */
  | { readonly kind: "refuse"; readonly message: string };

export function choose(pod: PodObject, namespace: ObjectMeta): SidecarChoice {
  const { metadata = {} } = pod;
  if (metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) {
    return { kind: "leave", reason: "it is a static pod, which exists already", isExpected: true };
  }
  if (hasSidecar(pod)) return { kind: "injected" };
  const wish = wishOf(metadata, "") ?? wishOf(namespace, " of the namespace");
  if (typeof wish === "string") return { kind: "refuse", message: wish };
  if (wish === false) {
    return { kind: "leave", reason: "it is asked for no sidecar", isExpected: true };
  }
  const reason = whyNot(pod);
  if (reason !== null) return { kind: "leave", reason, isExpected: false };
  const message = whyRefused(pod);
  return message === null ? { kind: "inject" } : { kind: "refuse", message };
}

/** By names alone: a copy that `kubectl debug` makes has lost its annotations. */
function hasSidecar(pod: PodObject): boolean {
  return allContainers(pod).some(({ name }) => name === PROXY_NAME) &&
    (pod.spec.volumes ?? []).some(({ name }) => name === VOLUME_NAME);
}

function whyNot(pod: PodObject): string | null {
  const { spec } = pod;
  if (spec.hostNetwork === true) return "it is on its node's network, which would be captured";
  if (spec.os?.name === "windows" || spec.nodeSelector?.["kubernetes.io/os"] === "windows") {
    return "it runs on Windows";
  }
  const names = allContainers(pod).map(({ name }) => name);
  const other = names.find((name) => Object.hasOwn(OTHER_SIDECARS, name));
  if (other !== undefined) return `it has a sidecar of ${OTHER_SIDECARS[other]}`;
  const own = names.find((name) => name === PROXY_NAME || name === INIT_NAME);
  return own === undefined ? null : `a container of its own is called ${own}`;
}

/** Whether labels and annotations ask for a sidecar; undefined: they say nothing; a text: what they say cannot be read. */
export function wishOf(
  { labels = {}, annotations = {} }: ObjectMeta,
  of: string,
): boolean | string | undefined {
  const said = [
    { name: `label ${OPT_OUT}`, value: labels[OPT_OUT] },
    ...[OPT_OUT, ...INJECTION].map((key) => ({
      name: `annotation ${key}`,
      value: annotations[key],
    })),
  ].find(({ value }) => value !== undefined);
  if (said === undefined) return undefined;
  const { name, value = "" } = said;
  const text = `${value}`.trim().toLowerCase();
  if (YES.has(text) || NO.has(text)) return YES.has(text);
  return `${name}${of} cannot be ${
    JSON.stringify(value)
  }: write it like true or false, or remove it`;
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
