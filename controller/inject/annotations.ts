/**
 * What annotations of a pod, or of its namespace, say of its sidecar. A pod counts before its namespace, and that before the mesh; lists of
 * what is excluded add up. Many have the names that FSM gives them, in either spelling. Pure.
 */
import { suggestField } from "../../schemas/suggest.ts";
import { parseWeight } from "../../schemas/smi/weight.ts";
import { wordsOfList } from "../../base/capture_lists.ts";
import type { ObjectMeta } from "./pod.ts";
import { type InjectionSettings, whyNotValue } from "./settings.ts";

const OWN = "weft.dev/";
const FSM = "flomesh.io/";

interface SettingAnnotation {
  readonly setting: keyof InjectionSettings;
  /** It means the same to FSM. Its image is another program, and its log level has other values. */
  readonly isOfFsm?: true;
  /** What it lists is added to the list of the mesh. */
  readonly adds?: true;
}

const ANNOTATIONS: Readonly<Record<string, SettingAnnotation>> = {
  "sidecar-image": { setting: "image" },
  "sidecar-image-pull-policy": { setting: "imagePullPolicy" },
  "native-sidecar": { setting: "nativeSidecar" },
  "local-proxy-mode": { setting: "localProxyMode" },
  "sidecar-log-level": { setting: "logLevel" },
  "sidecar-access-log": { setting: "accessLog" },
  "sidecar-trace-sample": { setting: "traceSample" },
  "sidecar-resource-requests-cpu": { setting: "cpuRequest", isOfFsm: true },
  "sidecar-resource-requests-memory": { setting: "memoryRequest", isOfFsm: true },
  "sidecar-resource-limits-cpu": { setting: "cpuLimit", isOfFsm: true },
  "sidecar-resource-limits-memory": { setting: "memoryLimit", isOfFsm: true },
  "outbound-port-exclusion-list": {
    setting: "outboundPortExclusionList",
    isOfFsm: true,
    adds: true,
  },
  "inbound-port-exclusion-list": { setting: "inboundPortExclusionList", isOfFsm: true, adds: true },
  "outbound-ip-range-exclusion-list": {
    setting: "outboundIpRangeExclusionList",
    isOfFsm: true,
    adds: true,
  },
  "outbound-ip-range-inclusion-list": { setting: "outboundIpRangeInclusionList", isOfFsm: true },
};

/** Annotations with our prefix that say something else; injection writes the first two. */
const OTHERS = ["status", "controller-ca", "inject", "sidecar-injection", "mtls-mode"];

type SettingsChoice =
  | {
    readonly kind: "settings";
    readonly settings: InjectionSettings;
    readonly warnings: readonly string[];
  }
  /** The pod must not start as it is. */
  | { readonly kind: "refuse"; readonly message: string };

/** The settings of one pod. */
export function settingsOf(
  pod: ObjectMeta,
  namespace: ObjectMeta,
  mesh: InjectionSettings,
): SettingsChoice {
  const settings: Record<string, string> = { ...mesh };
  for (const [suffix, { setting, isOfFsm, adds }] of Object.entries(ANNOTATIONS)) {
    const keys = [OWN, ...(isOfFsm ? [FSM] : [])].map((prefix) => `${prefix}${suffix}`);
    const said = firstOf(pod, "", keys) ?? firstOf(namespace, " of the namespace", keys);
    if (said === undefined) continue;
    const problem = whyNotValue(setting, said.value, said.name);
    if (problem !== null) return { kind: "refuse", message: `${problem}, or remove it` };
    settings[setting] = adds ? joined(mesh[setting], said.value) : said.value;
  }
  // Every value has been checked against the form of its setting.
  const whole = settings as unknown as InjectionSettings;
  const message = whyNotResources(whole);
  if (message !== null) return { kind: "refuse", message };
  return { kind: "settings", settings: whole, warnings: warningsOf(pod) };
}

function firstOf(
  { annotations = {} }: ObjectMeta,
  of: string,
  keys: readonly string[],
): { name: string; value: string } | undefined {
  const key = keys.find((each) => annotations[each] !== undefined);
  if (key === undefined) return undefined;
  return { name: `annotation ${key}${of}`, value: `${annotations[key]}`.trim() };
}

function joined(list: string, added: string): string {
  return [...new Set([...wordsOfList(list), ...wordsOfList(added)])].join(",");
}

/** The API server would refuse the pod for it, and name a container that its owner did not write. */
function whyNotResources(settings: InjectionSettings): string | null {
  for (const kind of ["cpu", "memory"] as const) {
    const [request, limit] = [settings[`${kind}Request`], settings[`${kind}Limit`]];
    if (limit === "" || (parseWeight(request) ?? 0n) <= (parseWeight(limit) ?? 0n)) continue;
    return `the sidecar would ask for ${request} of ${kind} with a limit of ${limit}: ` +
      `set both annotations, ${OWN}sidecar-resource-requests-${kind} and ${OWN}sidecar-resource-limits-${kind}`;
  }
  return null;
}

/** An annotation that nothing reads is a slip, or meant for another proxy. */
function warningsOf({ annotations = {} }: ObjectMeta): string[] {
  const known = [...Object.keys(ANNOTATIONS), ...OTHERS];
  return Object.keys(annotations).flatMap((key) => {
    const suffix = key.startsWith(OWN) ? key.slice(OWN.length) : "";
    if (suffix !== "" && !known.includes(suffix)) {
      const nearest = suggestField(suffix, known);
      return [
        `annotation ${key} says nothing to Weft${
          nearest === undefined ? "" : `: is it ${OWN}${nearest}?`
        }`,
      ];
    }
    return key === `${FSM}sidecar-image`
      ? [`annotation ${key} names FSM's proxy and is not read: ${OWN}sidecar-image is`]
      : [];
  });
}
