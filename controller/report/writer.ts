/**
 * FindingWriter: puts Findings on the objects that they are about, as Events and as a condition of their status, while this controller leads.
 * Written is what differs from what the objects say, a second after it has changed, so many at a time: canary controllers write the same
 * objects, and what changes back at once is no news.
 */
import { Backoff, pause } from "../../base/backoff.ts";
import { formatRef, type ResourceRef } from "../../base/finding.ts";
import { isSameData } from "../../base/same_data.ts";
import type { Log } from "../../base/log.ts";
import { definitionOf } from "../../schemas/crds/definitions.ts";
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import {
  EVENTS_KNOWN_MAX,
  REPORT_CALL_MS,
  REPORT_QUIET_MS,
  REPORT_STEP_MS,
  REPORT_WAITING_MAX,
  REPORTED_MAX,
  RETRY_MS_MAX,
  RETRY_MS_MIN,
} from "../limits.ts";
import type { ControllerCounts } from "../metrics.ts";
import type { ObjectIdentity } from "../objects.ts";
import {
  ALL_WELL,
  CONDITION,
  conditionIn,
  conditionOf,
  type ConditionState,
  eventOf,
  REPORTER,
} from "./condition.ts";
import type { ObjectFindings } from "./object_findings.ts";
import { RouteStatuses } from "./route_status.ts";

interface WriterParts {
  readonly client: Pick<KubeClient, "call">;
  readonly findings: ObjectFindings;
  /** Undefined: there is no such object in the mesh. */
  readonly identityOf: (ref: ResourceRef) => ObjectIdentity | undefined;
  readonly isLeader: () => boolean;
  readonly counts: ControllerCounts;
  readonly log: Log;
}

/** An object that is to be looked at. */
interface Due {
  readonly ref: ResourceRef;
  readonly atMs: number;
}

export class FindingWriter {
  readonly #parts: WriterParts;
  /** By their names; what is due first stands first. */
  readonly #due = new Map<string, Due>();
  /** Conditions as the objects have them, where they have one. */
  readonly #conditions = new Map<
    string,
    { readonly ref: ResourceRef; readonly state: ConditionState }
  >();
  readonly #routes = new RouteStatuses();
  /** Names of Events that are there. */
  readonly #events = new Set<string>();
  /** Kinds whose definition, that of another mesh, has no status. */
  readonly #withoutStatus = new Set<string>();
  readonly #backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
  readonly #ended = new AbortController();
  #wake = () => {};
  #trouble = "";
  #running: Promise<void> = Promise.resolve();

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running = this.#run();
  }

  stop(): Promise<void> {
    this.#ended.abort();
    this.#wake();
    return this.#running;
  }

  /** A watch has told of an object. */
  heard(object: JsonFields): void {
    const route = this.#routes.heard(object);
    if (route !== null) return this.#isRouteSaid(route) ? undefined : this.changed(route);
    const kind = textField(object, "kind") ?? "";
    if (definitionOf(kind) === undefined) return;
    const ref = refIn(kind, object);
    const state = conditionIn(object);
    if (state === null) this.#conditions.delete(formatRef(ref));
    else this.#conditions.set(formatRef(ref), { ref, state });
    if (!this.#isSaid(ref)) this.changed(ref);
  }

  removed(kind: string, namespace: string, name: string): void {
    const key = formatRef({ kind, namespace, name });
    this.#routes.removed({ kind, namespace, name });
    this.#conditions.delete(key);
    this.#due.delete(key);
  }

  /** What is wrong with an object has changed. */
  changed(ref: ResourceRef): void {
    const key = formatRef(ref);
    if (this.#due.has(key) || this.#due.size >= REPORT_WAITING_MAX) return;
    this.#due.set(key, { ref, atMs: performance.now() + REPORT_QUIET_MS });
    this.#wake();
  }

  /** Whatever an earlier leader has not written. */
  lead(): void {
    for (const ref of this.#parts.findings.refs()) this.changed(ref);
    for (const { ref } of this.#conditions.values()) if (!this.#isSaid(ref)) this.changed(ref);
    for (const ref of this.#routes.refs()) if (!this.#isRouteSaid(ref)) this.changed(ref);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const [next] = this.#due;
      if (next === undefined) {
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      const [key, { ref, atMs }] = next;
      await pause(Math.max(0, atMs - performance.now()), signal);
      if (signal.aborted) return;
      // It may be gone meanwhile.
      if (!this.#due.delete(key)) continue;
      // Another one writes, and this one looks at all of it once it leads.
      if (!this.#parts.isLeader()) continue;
      await this.#write(ref);
      await pause(REPORT_STEP_MS, signal);
    }
  }

  async #write(ref: ResourceRef): Promise<void> {
    const identity = this.#parts.identityOf(ref);
    if (identity === undefined) return;
    try {
      await this.#writeEvents(ref, identity);
      await this.#writeCondition(ref, identity);
      await this.#writeRoute(ref, identity);
      this.#backoff.reset();
      this.#trouble = "";
    } catch (error) {
      // It is gone, or is another one now: a watch will tell.
      if (error instanceof KubeError && (error.status === 404 || error.status === 409)) return;
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#trouble) {
        this.#parts.log.warn("Findings cannot be written", { object: formatRef(ref), reason });
      }
      this.#trouble = reason;
      await pause(this.#backoff.nextMs(), this.#ended.signal);
      this.changed(ref);
    }
  }

  async #writeEvents(ref: ResourceRef, identity: ObjectIdentity): Promise<void> {
    const { client, findings, counts } = this.#parts;
    const weighty = findings.of(ref).filter(({ severity }) => severity !== "info");
    for (const finding of weighty.slice(0, REPORTED_MAX)) {
      const event = eventOf(finding, ref, identity);
      if (this.#events.has(event.metadata.name)) continue;
      try {
        await client.call("POST", `/api/v1/namespaces/${ref.namespace}/events`, {
          body: event,
          limitMs: REPORT_CALL_MS,
        });
        counts.reports.event++;
      } catch (error) {
        // An earlier leader has said it.
        if (!(error instanceof KubeError && error.status === 409)) throw error;
      }
      if (this.#events.size >= EVENTS_KNOWN_MAX) this.#events.clear();
      this.#events.add(event.metadata.name);
    }
  }

  #isSaid(ref: ResourceRef): boolean {
    const known = this.#conditions.get(formatRef(ref))?.state ?? null;
    return isSameData(known, this.#wanted(ref, known));
  }

  #wanted(ref: ResourceRef, known: ConditionState | null): ConditionState | null {
    return conditionOf(this.#parts.findings.of(ref)) ?? (known === null ? null : ALL_WELL);
  }

  #isRouteSaid(ref: ResourceRef): boolean {
    return this.#wantedOfRoute(ref) === null;
  }

  #wantedOfRoute(ref: ResourceRef) {
    const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    return this.#routes.wanted(ref, this.#parts.findings.of(ref), now);
  }

  /** The list of parents is one field: what others have written meanwhile refuses ours, and a watch tells of it. */
  async #writeRoute(ref: ResourceRef, { apiVersion }: ObjectIdentity): Promise<void> {
    const wanted = this.#wantedOfRoute(ref);
    if (wanted === null) return;
    const { namespace, name } = ref;
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${wanted.plural}/${name}/status`;
    await this.#parts.client.call("PATCH", `${path}?fieldManager=${REPORTER}`, {
      body: wanted.body,
      contentType: "application/merge-patch+json",
      limitMs: REPORT_CALL_MS,
    });
    this.#parts.counts.reports.condition++;
  }

  async #writeCondition(
    ref: ResourceRef,
    { apiVersion, uid }: ObjectIdentity,
  ): Promise<void> {
    const { kind, namespace, name } = ref;
    const definition = definitionOf(kind)?.spec;
    const hasStatus = definition?.versions.every(({ subresources }) => subresources !== undefined);
    const key = formatRef(ref);
    const known = this.#conditions.get(key)?.state ?? null;
    const wanted = this.#wanted(ref, known);
    if (definition === undefined || hasStatus !== true || this.#withoutStatus.has(kind)) return;
    if (wanted === null || this.#isSaid(ref)) return;
    const { plural } = definition.names;
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${name}/status`;
    const lastTransitionTime = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const condition = { type: CONDITION, ...wanted, lastTransitionTime };
    try {
      await this.#parts.client.call("PATCH", `${path}?fieldManager=${REPORTER}&force=true`, {
        body: {
          ...{ apiVersion, kind, metadata: { name, namespace, uid } },
          status: { conditions: [condition] },
        },
        contentType: "application/apply-patch+yaml",
        limitMs: REPORT_CALL_MS,
      });
    } catch (error) {
      // What is said of a path, and not of an object.
      const hasNone = error instanceof KubeError && /the requested resource/.test(error.message);
      if (hasNone) this.#withoutStatus.add(kind);
      throw error;
    }
    this.#conditions.set(key, { ref, state: wanted });
    this.#parts.counts.reports.condition++;
  }
}

function refIn(kind: string, object: JsonFields): ResourceRef {
  const metadata = fieldsOf(object["metadata"]);
  return {
    kind,
    namespace: textField(metadata, "namespace") ?? "",
    name: textField(metadata, "name") ?? "",
  };
}
