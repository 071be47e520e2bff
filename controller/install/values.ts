/**
 * What an installation is made with: values that `--set` and `-f` give, each with its default and its form. Keys are those of FSM where it
 * has the same thing, with and without its prefix. A key that is unknown is refused, with the nearest one.
 */
import { suggestField } from "../../schemas/suggest.ts";
import {
  DEFAULT_INJECTION,
  INJECTION_KEYS,
  type InjectionSettings,
  whyNotValue,
} from "../inject/settings.ts";
import { fsmAbsence } from "./fsm_values.ts";

/** Where Weft's own objects are, unless an installation is told otherwise. */
export const WEFT_NAMESPACE = "weft-system";

export interface InstallValues {
  readonly namespace: string;
  readonly injection: InjectionSettings;
  readonly replicaCount: number;
  readonly controllerLogLevel: string;
  readonly controllerCpuRequest: string;
  readonly controllerMemoryRequest: string;
  readonly controllerMemoryLimit: string;
  readonly permissive: boolean;
  readonly egress: boolean;
  readonly clusterDomain: string;
  /** What was given, by keys that have one spelling: what an upgrade starts from. */
  readonly given: GivenValues;
}

/** Keys to the text of their values. */
export type GivenValues = Readonly<Record<string, string>>;

/** A value that is not a setting of sidecars. */
interface ValueRow {
  readonly standard: string;
  readonly form: RegExp;
  /** What to write instead, for people. */
  readonly like: string;
  readonly meaning: string;
}

const QUANTITY = { form: /^\d+(\.\d+)?(m|k|M|G|Ki|Mi|Gi)?$/, like: "100m or 64Mi" };
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

const ROWS = {
  replicaCount: {
    standard: "2",
    form: /^[1-9]\d?$/,
    like: "2",
    meaning: "controllers",
  },
  controllerLogLevel: {
    standard: "info",
    form: /^(debug|info|warn|error)$/,
    like: "info",
    meaning: "lightest event that a controller logs",
  },
  controllerCpuRequest: { standard: "50m", ...QUANTITY, meaning: "of a controller" },
  controllerMemoryRequest: { standard: "128Mi", ...QUANTITY, meaning: "of a controller" },
  controllerMemoryLimit: { standard: "1Gi", ...QUANTITY, meaning: "of a controller" },
  enablePermissiveTrafficPolicy: {
    standard: "true",
    form: /^(true|false)$/,
    like: "true",
    meaning: "false: traffic targets are enforced",
  },
  enableEgress: {
    standard: "true",
    form: /^(true|false)$/,
    like: "true",
    meaning: "false: of what leaves the mesh only that passes which an Egress allows",
  },
  clusterDomain: {
    standard: "cluster.local",
    form: NAME,
    like: "cluster.local",
    meaning: "the cluster's DNS domain",
  },
} as const satisfies Record<string, ValueRow>;

type OwnKey = keyof typeof ROWS;

/** Other spellings, those of FSM's chart, to ours. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "image.pullPolicy": "imagePullPolicy",
  "sidecar.image": "image",
  "sidecar.imagePullPolicy": "imagePullPolicy",
  "sidecar.meshName": "meshName",
  "sidecar.sidecarLogLevel": "sidecar.logLevel",
  "sidecar.localProxyMode": "localProxyMode",
  "sidecar.outboundPortExclusionList": "outboundPortExclusionList",
  "sidecar.inboundPortExclusionList": "inboundPortExclusionList",
  "sidecar.outboundIpRangeExclusionList": "outboundIPRangeExclusionList",
  "sidecar.outboundIpRangeInclusionList": "outboundIPRangeInclusionList",
  "resource.requests.cpu": "controllerCpuRequest",
  "resource.requests.memory": "controllerMemoryRequest",
  "resource.limits.memory": "controllerMemoryLimit",
};

/** Settings of sidecars that have a key without `sidecar.`, as in FSM. */
const PLAIN_SETTINGS: Readonly<Record<string, keyof InjectionSettings>> = {
  image: "image",
  imagePullPolicy: "imagePullPolicy",
  imagePullSecrets: "imagePullSecrets",
  meshName: "meshName",
  localProxyMode: "localProxyMode",
  trustDomain: "trustDomain",
  outboundPortExclusionList: "outboundPortExclusionList",
  inboundPortExclusionList: "inboundPortExclusionList",
  outboundIPRangeExclusionList: "outboundIpRangeExclusionList",
  outboundIPRangeInclusionList: "outboundIpRangeInclusionList",
};

/** What an installation finds out, or what follows from where it is. */
const FOUND_OUT: readonly string[] = ["controller", "controllerCa"];

const REGISTRY = "image.registry";
const TAG = "image.tag";
const SIDECAR = "sidecar.";

const SETTING_KEYS: ReadonlyMap<string, keyof InjectionSettings> = new Map([
  ...Object.entries(PLAIN_SETTINGS),
  ...INJECTION_KEYS
    .filter((key) => !FOUND_OUT.includes(key) && !Object.values(PLAIN_SETTINGS).includes(key))
    .map((key): [string, keyof InjectionSettings] => [`${SIDECAR}${key}`, key]),
]);

const SETTING_MEANINGS: Partial<Record<keyof InjectionSettings, string>> = {
  image: "of controllers and sidecars",
  imagePullPolicy: "of that image",
  imagePullSecrets:
    "Secrets that it is pulled with, in the controllers' namespace and in each one that gets sidecars",
  meshName: "value of the label `weft.dev/monitored-by`",
  localProxyMode:
    "or `Localhost`: sidecars call applications on loopback, which opens what listens there",
  trustDomain:
    "of the SPIFFE ids in certificates; another one later cuts sidecars off from each other",
  nativeSidecar: "`auto`, `always`, `never`: sidecars as init containers that restart always",
  logLevel: "lightest event that a sidecar logs",
  accessLog: "`none`, `json`, `common`: a line for each request",
  tracingEndpoint:
    "of a collector, like `http://collector.observability:4318`: spans are sent to it by OTLP",
  traceSample: "share of the traces that begin at a sidecar, 0 to 1",
  cpuRequest: "of a sidecar",
  memoryRequest: "of a sidecar",
  memoryLimit: "of a sidecar",
  cpuLimit: "of a sidecar; none: it may use what is free",
  outboundIpRangeInclusionList: "ranges to which alone connections go through the sidecar",
  outboundPortExclusionList: "ports to which connections go past the sidecar",
  outboundIpRangeExclusionList: "ranges to which connections go past the sidecar",
  inboundPortExclusionList: "ports at which connections go past the sidecar",
};

/** Every key. */
export const VALUE_KEYS: readonly string[] = [
  ...Object.keys(ROWS),
  ...SETTING_KEYS.keys(),
  REGISTRY,
  TAG,
];

/** The default of a key of {@link VALUE_KEYS}, and what it says, for people. */
export function valueAdvice(key: string): { readonly standard: string; readonly meaning: string } {
  const setting = SETTING_KEYS.get(key);
  if (setting !== undefined) {
    const meaning = SETTING_MEANINGS[setting] ?? "";
    return { standard: DEFAULT_INJECTION[setting], meaning };
  }
  const meaning = key === REGISTRY ? "in front of the image's name" : "of the image";
  return isOwnKey(key) ? ROWS[key] : { standard: "", meaning };
}

/**
 * Values from what was given.
 * @throws {Error} one line says what is wrong, and what is right
 */
export function readValues(given: GivenValues, namespace: string = WEFT_NAMESPACE): InstallValues {
  const checkedValues = canonicalValues(given);
  const injection: Record<string, string> = {
    ...DEFAULT_INJECTION,
    controller: DEFAULT_INJECTION.controller.replace(WEFT_NAMESPACE, namespace),
  };
  const image = imageOf(checkedValues);
  if (image !== undefined) injection["image"] = image;
  for (const [key, setting] of SETTING_KEYS) {
    if (Object.hasOwn(checkedValues, key)) injection[setting] = checkedValues[key];
  }
  const own = (key: OwnKey) => checkedValues[key] ?? ROWS[key].standard;
  return {
    namespace: matching(
      "namespace",
      namespace,
      /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
      "weft-system",
    ),
    // Every value has been checked against the form of its key.
    injection: injection as unknown as InjectionSettings,
    replicaCount: Number(own("replicaCount")),
    controllerLogLevel: own("controllerLogLevel"),
    controllerCpuRequest: own("controllerCpuRequest"),
    controllerMemoryRequest: own("controllerMemoryRequest"),
    controllerMemoryLimit: own("controllerMemoryLimit"),
    permissive: own("enablePermissiveTrafficPolicy") === "true",
    egress: own("enableEgress") === "true",
    clusterDomain: own("clusterDomain"),
    given: checkedValues,
  };
}

/** `image.registry` and `image.tag` make a name where no `image` is given. */
function imageOf(given: GivenValues): string | undefined {
  const { [REGISTRY]: registry, [TAG]: tag } = given;
  if (registry === undefined && tag === undefined) return undefined;
  const [name, version] = DEFAULT_INJECTION.image.split(":");
  const image = `${registry === undefined ? "" : `${registry}/`}${name}:${tag ?? version}`;
  return checked("image", image);
}

/** By keys that have one spelling, each value checked. */
function canonicalValues(given: GivenValues): GivenValues {
  const values: Record<string, string> = {};
  for (const [written, value] of Object.entries(given)) {
    const key = spelling(written);
    const setting = SETTING_KEYS.get(key);
    if (setting !== undefined) values[key] = checked(setting, value);
    else if (isOwnKey(key)) values[key] = matching(key, value, ROWS[key].form, ROWS[key].like);
    else if (key === REGISTRY || key === TAG) values[key] = value;
    else {
      const problem = fsmAbsence(key, value);
      if (problem !== null) throw new Error(problem ?? unknownKey(written, key));
    }
  }
  return values;
}

function spelling(written: string): string {
  const key = written.replace(/^(fsm|osm|weft)\./, "")
    .replace(/^(fsmController|osmController|controller)\./, "");
  return SPELLINGS[key] ?? key;
}

function isOwnKey(key: string): key is OwnKey {
  return Object.hasOwn(ROWS, key);
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

function unknownKey(written: string, key: string): string {
  const nearest = suggestField(key, [...VALUE_KEYS, ...Object.keys(SPELLINGS)]);
  const advice = nearest === undefined ? `known are ${VALUE_KEYS.join(", ")}` : `"${nearest}"?`;
  return `"${written}" is no value of an installation: ${advice}`;
}
