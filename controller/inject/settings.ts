/**
 * What a mesh says of the sidecars that are injected for it. `weft install` writes it into a ConfigMap, the webhook and `weft inject` read it.
 */
import { VERSION } from "../../base/version.ts";

/** When a sidecar is an init container that restarts always. `auto`: where every kubelet knows what that is (1.29). */
type NativeSidecarChoice = "auto" | "always" | "never";

export interface InjectionSettings {
  readonly meshName: string;
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  readonly nativeSidecar: NativeSidecarChoice;
  /** HOST:PORT of the controller, as a pod of any namespace calls it. */
  readonly controller: string;
  /** Certificates, in PEM, of those that the controller's is signed by. */
  readonly controllerCa: string;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  readonly accessLog: "none" | "json" | "common";
  readonly cpuRequest: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
  /** As the options of `weft proxy-init` take them. */
  readonly outboundPortExclusionList: string;
  readonly outboundIpRangeExclusionList: string;
  readonly inboundPortExclusionList: string;
}

/** Without what only an installation knows. */
export const DEFAULT_INJECTION: InjectionSettings = {
  meshName: "weft",
  image: `weft:${VERSION}`,
  imagePullPolicy: "IfNotPresent",
  nativeSidecar: "auto",
  controller: "weft-controller.weft-system.svc:15080",
  controllerCa: "",
  logLevel: "info",
  accessLog: "none",
  cpuRequest: "10m",
  memoryRequest: "40Mi",
  memoryLimit: "256Mi",
  outboundPortExclusionList: "",
  outboundIpRangeExclusionList: "",
  inboundPortExclusionList: "",
};

const PORT_LIST = { form: /^(\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*)?$/, like: "5432,8000-8010" };
const RANGE_LIST = {
  form: /^([0-9a-fA-F.:]+(\/\d{1,3})?(,[0-9a-fA-F.:]+(\/\d{1,3})?)*)?$/,
  like: "10.0.0.0/8,fd00::/8",
};
const QUANTITY = { form: /^\d+(\.\d+)?(m|k|M|G|Ki|Mi|Gi)?$/, like: "100m or 64Mi" };

function oneOf(...values: string[]): ValueForm {
  return { form: new RegExp(`^(${values.join("|")})$`), like: values.join(", ") };
}

interface ValueForm {
  readonly form: RegExp;
  /** What to write instead, for people. */
  readonly like: string;
}

const FORMS: Readonly<Record<keyof InjectionSettings, ValueForm>> = {
  meshName: { form: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, like: "weft" },
  image: { form: /^[\w.:/@-]{1,512}$/, like: "registry.example/weft:1.0" },
  imagePullPolicy: oneOf("Always", "IfNotPresent", "Never"),
  nativeSidecar: oneOf("auto", "always", "never"),
  controller: { form: /^[\w.-]{1,253}:\d{1,5}$/, like: DEFAULT_INJECTION.controller },
  controllerCa: {
    form: /^(-----BEGIN CERTIFICATE-----[\s\S]{1,16384}-----END CERTIFICATE-----\s*)?$/,
    like: "the text of a certificate in PEM",
  },
  logLevel: oneOf("debug", "info", "warn", "error"),
  accessLog: oneOf("none", "json", "common"),
  cpuRequest: QUANTITY,
  memoryRequest: QUANTITY,
  memoryLimit: QUANTITY,
  outboundPortExclusionList: PORT_LIST,
  outboundIpRangeExclusionList: RANGE_LIST,
  inboundPortExclusionList: PORT_LIST,
};

/** The names of all settings. */
export const INJECTION_KEYS = Object.keys(FORMS) as readonly (keyof InjectionSettings)[];

/** Why a setting cannot have this value; null: it can. */
export function whyNotValue(key: keyof InjectionSettings, value: unknown): string | null {
  const { form, like } = FORMS[key];
  if (typeof value === "string" && form.test(value)) return null;
  return `${key} cannot be ${JSON.stringify(value)}: write it like ${like}`;
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
