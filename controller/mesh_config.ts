/**
 * MeshConfig: what an operator says of the mesh while it runs. One table of fields says what each sets and when that acts. What the object
 * leaves out is as installed, and so is everything without it; a value that cannot be used leaves the last good one.
 */
import { type Finding, formatFieldPath, type ResourceRef } from "../base/finding.ts";
import { makeFinding } from "../schemas/report.ts";
import { type InjectionSettings, whyNotValue } from "./inject/settings.ts";
import { fieldsOf, type JsonFields, textField } from "./kube/fields.ts";
import type { ObjectIdentity } from "./objects.ts";

/** The one that counts, in the namespace of the controllers. */
const MESH_CONFIG = "weft-mesh-config";

interface FieldRow {
  /** Below `spec`. */
  readonly path: readonly string[];
  /** Null: whether traffic targets are not enforced. */
  readonly setting: keyof InjectionSettings | null;
  readonly acts: "at once" | "new pods";
}

const newPods = (path: string, setting: keyof InjectionSettings): FieldRow => ({
  path: path.split("."),
  setting,
  acts: "new pods",
});

export const MESH_CONFIG_FIELDS: readonly FieldRow[] = [
  { path: ["traffic", "enablePermissiveTrafficPolicyMode"], setting: null, acts: "at once" },
  newPods("traffic.outboundPortExclusionList", "outboundPortExclusionList"),
  newPods("traffic.inboundPortExclusionList", "inboundPortExclusionList"),
  newPods("traffic.outboundIPRangeExclusionList", "outboundIpRangeExclusionList"),
  newPods("traffic.outboundIPRangeInclusionList", "outboundIpRangeInclusionList"),
  newPods("sidecar.image", "image"),
  newPods("sidecar.logLevel", "logLevel"),
  newPods("sidecar.accessLog", "accessLog"),
  newPods("sidecar.localProxyMode", "localProxyMode"),
  newPods("sidecar.resources.requests.cpu", "cpuRequest"),
  newPods("sidecar.resources.requests.memory", "memoryRequest"),
  newPods("sidecar.resources.limits.cpu", "cpuLimit"),
  newPods("sidecar.resources.limits.memory", "memoryLimit"),
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

  get identity(): ObjectIdentity | undefined {
    const object = this.#heard.get(this.#namespace ?? "");
    if (object === undefined) return undefined;
    const apiVersion = textField(object, "apiVersion") ?? "";
    return { apiVersion, uid: textField(fieldsOf(object["metadata"]), "uid") ?? "" };
  }

  /** Undefined: it says nothing of it. */
  get permissive(): boolean | undefined {
    const [row] = MESH_CONFIG_FIELDS;
    const value = this.#values.get(row);
    return typeof value === "boolean" ? value : undefined;
  }

  /** In place of what was installed, for pods that are made from now on. */
  get injection(): Partial<InjectionSettings> {
    const settings = [...this.#values].flatMap(([{ setting }, value]) =>
      setting === null ? [] : [[setting, value]]
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
      const problem = row.setting === null
        ? typeof value === "boolean" ? null : `${row.path.at(-1)} is neither true nor false`
        : whyNotValue(row.setting, value, row.path.at(-1));
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
