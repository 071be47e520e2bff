/**
 * What a mesh says of the sidecars that are injected for it. `weft install` writes it into a ConfigMap, the webhook and `weft inject` read it.
 */
import { parseIpRange, parsePortRange, wordsOfList } from "../../base/capture_lists.ts";
import { DEFAULT_TRUST_DOMAIN, isTrustDomain } from "../../base/spiffe.ts";
import { VERSION } from "../../base/version.ts";

/** When a sidecar is an init container that restarts always. `auto`: where every kubelet knows what that is (1.29). */
type NativeSidecarChoice = "auto" | "always" | "never";

export interface InjectionSettings {
  readonly meshName: string;
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Names of Secrets that the image is pulled with. */
  readonly imagePullSecrets: string;
  readonly nativeSidecar: NativeSidecarChoice;
  /** Where the application is called: at its pod's addresses, or on loopback, which then is open to callers of the pod. */
  readonly localProxyMode: "PodIP" | "Localhost";
  /** HOST:PORT of the controller, as a pod of any namespace calls it. */
  readonly controller: string;
  /** Certificates, in PEM, of those that the controller's is signed by. */
  readonly controllerCa: string;
  /** Of the SPIFFE ids of sidecars. */
  readonly trustDomain: string;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly accessLog: "none" | "json" | "common";
  /** URL of a collector of OTLP over HTTP; empty: no spans are made. */
  readonly tracingEndpoint: string;
  /** Share of the traces that begin at a sidecar, 0 to 1. */
  readonly traceSample: string;
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
  /** Empty: none. What is throttled delays every request. */
  readonly cpuLimit: string;
  /** As the options of `weft proxy-init` take them. */
  readonly outboundPortExclusionList: string;
  readonly outboundIpRangeExclusionList: string;
  /** Empty: everything. */
  readonly outboundIpRangeInclusionList: string;
  readonly inboundPortExclusionList: string;
}

/** Without what only an installation knows. */
export const DEFAULT_INJECTION: InjectionSettings = {
  meshName: "weft",
  image: `weft:${VERSION}`,
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: "",
  nativeSidecar: "auto",
  localProxyMode: "PodIP",
  controller: "weft-controller.weft-system.svc:15080",
  controllerCa: "",
  trustDomain: DEFAULT_TRUST_DOMAIN,
  logLevel: "info",
  accessLog: "none",
  tracingEndpoint: "",
  traceSample: "1",
  cpuRequest: "10m",
  memoryRequest: "40Mi",
  memoryLimit: "256Mi",
  cpuLimit: "",
  outboundPortExclusionList: "",
  outboundIpRangeExclusionList: "",
  outboundIpRangeInclusionList: "",
  inboundPortExclusionList: "",
};

interface ValueForm {
  readonly accepts: (text: string) => boolean;
  /** What to write instead, for people. */
  readonly like: string;
}

const PORT_LIST = listOf(parsePortRange, "5432,8000-8010");
const RANGE_LIST = listOf(parseIpRange, "10.0.0.0/8,fd00::/8");
const SECRET_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const NAME_LIST = listOf((word) => SECRET_NAME.exec(word), "registry");
const QUANTITY = matching(/^\d+(\.\d+)?(m|[kMGTPE]|[KMGTPE]i)?$/, "100m or 64Mi");

function matching(form: RegExp, like: string): ValueForm {
  return { accepts: (text) => form.test(text), like };
}

function oneOf(...values: string[]): ValueForm {
  return { accepts: (text) => values.includes(text), like: values.join(", ") };
}

function listOf(parse: (word: string) => unknown, like: string): ValueForm {
  return { accepts: (text) => wordsOfList(text).every((word) => parse(word) !== null), like };
}

const FORMS: Readonly<Record<keyof InjectionSettings, ValueForm>> = {
  meshName: matching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "weft"),
  image: matching(/^[\w.:/@-]{1,512}$/, "registry.example/weft:1.0"),
  imagePullPolicy: oneOf("Always", "IfNotPresent", "Never"),
  imagePullSecrets: NAME_LIST,
  nativeSidecar: oneOf("auto", "always", "never"),
  localProxyMode: oneOf("PodIP", "Localhost"),
  controller: matching(/^[\w.-]{1,253}:\d{1,5}$/, DEFAULT_INJECTION.controller),
  controllerCa: matching(
    /^(-----BEGIN CERTIFICATE-----[\s\S]{1,16384}-----END CERTIFICATE-----\s*)?$/,
    "the text of a certificate in PEM",
  ),
  trustDomain: { accepts: isTrustDomain, like: DEFAULT_TRUST_DOMAIN },
  logLevel: oneOf("debug", "info", "warn", "error"),
  accessLog: oneOf("none", "json", "common"),
  tracingEndpoint: {
    accepts: (text) => text === "" || /^https?:\/\/[^\s/]/.test(text) && URL.canParse(text),
    like: "http://collector.observability:4318",
  },
  traceSample: matching(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, "0.01"),
  cpuRequest: QUANTITY,
  memoryRequest: QUANTITY,
  memoryLimit: QUANTITY,
  cpuLimit: { ...QUANTITY, accepts: (text) => text === "" || QUANTITY.accepts(text) },
  outboundPortExclusionList: PORT_LIST,
  outboundIpRangeExclusionList: RANGE_LIST,
  outboundIpRangeInclusionList: RANGE_LIST,
  inboundPortExclusionList: PORT_LIST,
};

/** The names of all settings. */
export const INJECTION_KEYS = Object.keys(FORMS) as readonly (keyof InjectionSettings)[];

/** Why a setting, called `name` where it was written, cannot have this value; null: it can. */
export function whyNotValue(
  key: keyof InjectionSettings,
  value: unknown,
  name: string = key,
): string | null {
  const { accepts, like } = FORMS[key];
  if (typeof value === "string" && accepts(value)) return null;
  return `${name} cannot be ${JSON.stringify(value)}: write it like ${like}`;
}

/**
 * Settings from their JSON text; what it leaves out has its default, and what it adds is left to newer versions.
 * @throws {Error} a value is none that the setting can have, or the text is no object
 */
export function parseInjectionSettings(text: string): InjectionSettings {
  const given: unknown = JSON.parse(text);
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new Error("Injection settings are a JSON object");
  }
  const settings: Record<string, unknown> = { ...DEFAULT_INJECTION };
  for (const key of INJECTION_KEYS) {
    const value = (given as Record<string, unknown>)[key];
    if (value === undefined) continue;
    const problem = whyNotValue(key, value);
    if (problem !== null) throw new Error(problem);
    settings[key] = value;
  }
  // Every key of the interface has been looked at.
  return settings as unknown as InjectionSettings;
}
