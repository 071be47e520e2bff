/**
 * What an installation is made with: values that `--set` gives, each with its default and its form. Keys are those of FSM where it has
 * the same thing, with and without its prefix. A key that is unknown is refused, with the nearest one.
 */
import { suggestField } from "../../schemas/suggest.ts";
import {
  DEFAULT_INJECTION,
  INJECTION_KEYS,
  type InjectionSettings,
  whyNotValue,
} from "../inject/settings.ts";

/** Where Weft's own objects are. */
export const WEFT_NAMESPACE = "weft-system";

export interface InstallValues {
  readonly injection: InjectionSettings;
  readonly replicaCount: number;
  readonly controllerLogLevel: string;
  readonly permissive: boolean;
  readonly clusterDomain: string;
}

/** Keys of FSM's chart to the settings that mean the same. */
const FSM_KEYS: Readonly<Record<string, keyof InjectionSettings>> = {
  "image": "image",
  "image.pullPolicy": "imagePullPolicy",
  "meshName": "meshName",
  "sidecar.sidecarLogLevel": "logLevel",
  "outboundPortExclusionList": "outboundPortExclusionList",
  "inboundPortExclusionList": "inboundPortExclusionList",
  "outboundIPRangeExclusionList": "outboundIpRangeExclusionList",
};

/** Settings that an installation finds out, or that follow from where it is. */
const NOT_SET: readonly string[] = ["controller", "controllerCa"];

const REPLICAS = "replicaCount";
const CONTROLLER_LOG_LEVEL = "controllerLogLevel";
const PERMISSIVE = "enablePermissiveTrafficPolicy";
const CLUSTER_DOMAIN = "clusterDomain";
const OWN_KEYS = [REPLICAS, CONTROLLER_LOG_LEVEL, PERMISSIVE, CLUSTER_DOMAIN];

const SIDECAR = "sidecar.";

/** All that `--set` takes, without the prefix. */
const VALUE_KEYS: readonly string[] = [
  ...OWN_KEYS,
  ...Object.keys(FSM_KEYS),
  ...INJECTION_KEYS.filter((key) => !NOT_SET.includes(key)).map((key) => `${SIDECAR}${key}`),
];

/**
 * Values from `KEY=VALUE` texts, each of which may hold several with commas between; a list is `{a,b}`.
 * @throws {Error} one line says what is wrong, and what is right
 */
export function readValues(assignments: readonly string[]): InstallValues {
  const injection: Record<string, string> = { ...DEFAULT_INJECTION };
  const own: Record<string, string> = {
    [REPLICAS]: "2",
    [CONTROLLER_LOG_LEVEL]: "info",
    [PERMISSIVE]: "true",
    [CLUSTER_DOMAIN]: "cluster.local",
  };
  for (const [written, value] of assignments.flatMap(splitAssignments)) {
    const key = written.replace(/^(fsm|weft)\./, "").replace(/^(fsmController|controller)\./, "");
    const setting = settingOf(key);
    if (Object.hasOwn(own, key)) own[key] = value;
    else if (setting !== undefined) injection[setting] = checked(setting, value);
    else throw unknownKey(written, key);
  }
  return {
    // Every value has been checked against the form of its key.
    injection: injection as unknown as InjectionSettings,
    replicaCount: Number(matching(REPLICAS, own[REPLICAS], /^[1-9]\d?$/, "2")),
    controllerLogLevel: matching(
      CONTROLLER_LOG_LEVEL,
      own[CONTROLLER_LOG_LEVEL],
      /^(debug|info|warn|error)$/,
      "info",
    ),
    permissive: matching(PERMISSIVE, own[PERMISSIVE], /^(true|false)$/, "true") === "true",
    clusterDomain: matching(CLUSTER_DOMAIN, own[CLUSTER_DOMAIN], /^[a-z0-9.-]{1,253}$/, "x.local"),
  };
}

function settingOf(key: string): keyof InjectionSettings | undefined {
  if (Object.hasOwn(FSM_KEYS, key)) return FSM_KEYS[key];
  const name = key.startsWith(SIDECAR) ? key.slice(SIDECAR.length) : "";
  return INJECTION_KEYS.find((known) => known === name && !NOT_SET.includes(known));
}

function checked(setting: keyof InjectionSettings, value: string): string {
  const problem = whyNotValue(setting, value);
  if (problem !== null) throw new Error(problem);
  return value;
}

function matching(key: string, value: string, form: RegExp, like: string): string {
  if (form.test(value)) return value;
  throw new Error(`${key} cannot be ${JSON.stringify(value)}: write it like ${like}`);
}

function unknownKey(written: string, key: string): Error {
  const nearest = suggestField(key, VALUE_KEYS);
  const advice = nearest === undefined ? `known are ${VALUE_KEYS.join(", ")}` : `"${nearest}"?`;
  return new Error(`"${written}" is no value of an installation: ${advice}`);
}

/** Commas within braces are those of a list. */
function splitAssignments(text: string): [key: string, value: string][] {
  return text.split(/,(?![^{]*\})/).map((assignment) => {
    const at = assignment.indexOf("=");
    if (at < 1) throw new Error(`"${assignment}" gives no value: write it like meshName=weft`);
    const value = assignment.slice(at + 1).trim();
    return [assignment.slice(0, at).trim(), value.replace(/^\{(.*)\}$/, "$1")];
  });
}
