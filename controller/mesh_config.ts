/**
 * MeshConfig: what an operator says of the mesh while it runs. One table of fields says what each sets and when that acts. What the object
 * leaves out is as installed, and so is everything without it; a value that cannot be used leaves the last good one.
 */
import { MTLS_FORM, parseMtlsRules } from "../base/mtls_mode.ts";
import { type Finding, formatFieldPath, type ResourceRef } from "../base/finding.ts";
import { LOG_LEVELS, type LogLevel } from "../base/log.ts";
import { makeFinding } from "../schemas/report.ts";
import { type InjectionSettings, whyNotValue } from "./inject/settings.ts";
import { fieldsOf, type JsonFields, textField } from "./kube/fields.ts";
import type { ObjectIdentity } from "./objects.ts";

/** The one that counts, in the namespace of the controllers. */
export const MESH_CONFIG = "weft-mesh-config";

interface FieldRow {
  /** Below `spec`. */
  readonly path: readonly string[];
  /** Of the mesh as a whole, or of sidecars that are injected. */
  readonly setting: keyof MeshSettings | keyof InjectionSettings;
  readonly acts: "at once" | "new pods";
  /** Null: it can have this value. */
  readonly whyNot: (value: string | boolean, name: string) => string | null;
}

/** What acts at once. */
interface MeshSettings {
  /** Traffic targets are not enforced. */
  readonly permissive: boolean;
  /** What the mesh does not know is passed on. */
  readonly egress: boolean;
  /** Whether callers may do without mutual TLS. */
  readonly mtlsMode: string;
  readonly controllerLogLevel: LogLevel;
}

const atOnce = (
  path: string,
  setting: keyof MeshSettings,
  values: readonly (string | boolean)[],
): FieldRow => ({
  path: path.split("."),
  setting,
  acts: "at once",
  whyNot: (value, name) =>
    values.includes(value)
      ? null
      : `${name} cannot be ${JSON.stringify(value)}: write one of ${values.join(", ")}`,
});

const MTLS_ROW: FieldRow = {
  path: ["traffic", "mtlsMode"],
  setting: "mtlsMode",
  acts: "at once",
  whyNot: (value, name) =>
    typeof value === "string" && parseMtlsRules(value) !== null
      ? null
      : `${name} cannot be ${JSON.stringify(value)}: write ${MTLS_FORM}`,
};

const newPods = (path: string, setting: keyof InjectionSettings): FieldRow => ({
  path: path.split("."),
  setting,
  acts: "new pods",
  whyNot: (value, name) => whyNotValue(setting, value, name),
});

export const MESH_CONFIG_FIELDS: readonly FieldRow[] = [
  atOnce("traffic.enablePermissiveTrafficPolicyMode", "permissive", [true, false]),
  atOnce("traffic.enableEgress", "egress", [true, false]),
  MTLS_ROW,
  newPods("traffic.outboundPortExclusionList", "outboundPortExclusionList"),
  newPods("traffic.inboundPortExclusionList", "inboundPortExclusionList"),
  newPods("traffic.outboundIPRangeExclusionList", "outboundIpRangeExclusionList"),
  newPods("traffic.outboundIPRangeInclusionList", "outboundIpRangeInclusionList"),
  newPods("sidecar.image", "image"),
  newPods("sidecar.imagePullSecrets", "imagePullSecrets"),
  newPods("sidecar.logLevel", "logLevel"),
  newPods("sidecar.accessLog", "accessLog"),
  newPods("sidecar.localProxyMode", "localProxyMode"),
  newPods("sidecar.resources.requests.cpu", "cpuRequest"),
  newPods("sidecar.resources.requests.memory", "memoryRequest"),
  newPods("sidecar.resources.limits.cpu", "cpuLimit"),
  newPods("sidecar.resources.limits.memory", "memoryLimit"),
  atOnce("observability.controllerLogLevel", "controllerLogLevel", LOG_LEVELS),
  newPods("observability.tracing.endpoint", "tracingEndpoint"),
  newPods("observability.tracing.sampledFraction", "traceSample"),
];

interface MeshConfigEvents {
  /** The object is another now, or gone: what is wrong with it. */
  changed(ref: ResourceRef, findings: readonly Finding[]): void;
}

export class MeshConfigReader {
  readonly #events: MeshConfigEvents;
  /** By namespace. */
  readonly #heard = new Map<string, JsonFields>();
  #namespace: string | null = null;
  /** Values that were good when they were last read. */
  readonly #values = new Map<FieldRow, string | boolean>();

  constructor(events: MeshConfigEvents) {
    this.#events = events;
  }

  /** All that there is has been heard, and this is the namespace whose object counts. */
  start(namespace: string): void {
    this.#namespace = namespace;
    const object = this.#heard.get(namespace);
    if (object !== undefined) this.#take(object);
  }

  heard(object: JsonFields): void {
    const metadata = fieldsOf(object["metadata"]);
    if (object["kind"] !== "MeshConfig" || metadata["name"] !== MESH_CONFIG) return;
    const namespace = textField(metadata, "namespace") ?? "";
    this.#heard.set(namespace, object);
    if (namespace === this.#namespace) this.#take(object);
  }

  removed(kind: string, namespace: string, name: string): void {
    if (kind !== "MeshConfig" || name !== MESH_CONFIG) return;
    this.#heard.delete(namespace);
    if (namespace === this.#namespace) this.#take(null);
  }

  /** Undefined: it is not there, or is not the one that counts. */
  identityOf({ namespace, name }: ResourceRef): ObjectIdentity | undefined {
    const counts = namespace === this.#namespace && name === MESH_CONFIG;
    const object = counts ? this.#heard.get(namespace) : undefined;
    if (object === undefined) return undefined;
    const apiVersion = textField(object, "apiVersion") ?? "";
    return { apiVersion, uid: textField(fieldsOf(object["metadata"]), "uid") ?? "" };
  }

  /** In place of what was installed. */
  get mesh(): Partial<MeshSettings> {
    return this.#settings("at once");
  }

  /** In place of what was installed, for pods that are made from now on. */
  get injection(): Partial<InjectionSettings> {
    return this.#settings("new pods");
  }

  #settings(which: FieldRow["acts"]): Record<string, string | boolean> {
    const settings = [...this.#values].flatMap(([{ setting, acts }, value]) =>
      acts === which ? [[setting, value]] : []
    );
    return Object.fromEntries(settings);
  }

  #take(object: JsonFields | null): void {
    const ref = { kind: "MeshConfig", namespace: this.#namespace ?? "", name: MESH_CONFIG };
    const findings: Finding[] = [];
    for (const row of MESH_CONFIG_FIELDS) {
      const value = textOf(valueAt(object, row.path));
      if (value === undefined) {
        this.#values.delete(row);
        continue;
      }
      const path = ["spec", ...row.path];
      const problem = row.whyNot(value, row.path.at(-1) ?? "");
      if (problem === null) this.#values.set(row, value);
      else {
        findings.push(makeFinding("mesh-config-invalid", {
          message: problem,
          hint: "Until then the last good value stays, or the installed one where there was none",
          resource: ref,
          field: formatFieldPath(path),
        }));
      }
    }
    this.#events.changed(ref, findings);
  }
}

function valueAt(object: JsonFields | null, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => fieldsOf(value)[name], object?.["spec"]);
}

/** As settings have it: a list is one text. Undefined: nothing is said. */
function textOf(value: unknown): string | boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.map(String).join(",");
  return typeof value === "boolean" ? value : String(value);
}
