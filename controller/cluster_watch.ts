/**
 * ClusterWatch: all that the controller reads of a cluster. Kinds of Kubernetes itself are watched from the start, custom ones from the
 * moment their definition is there, in each version that it serves.
 */
import { Backoff, pause } from "../base/backoff.ts";
import { type Kind, kindKey, KINDS, pluralOf } from "../schemas/kinds.ts";
import { CustomKind } from "./custom_kind.ts";
import { type KubeClient, KubeError } from "./kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "./kube/fields.ts";
import { ListWatch } from "./kube/list_watch.ts";
import { RETRY_MS_MAX, RETRY_MS_MIN } from "./limits.ts";

/** Kinds of Kubernetes itself, by their group and version. */
const CORE_KINDS = [
  { kind: "Namespace", apiVersion: "v1", plural: "namespaces" },
  { kind: "Service", apiVersion: "v1", plural: "services" },
  { kind: "Pod", apiVersion: "v1", plural: "pods" },
  { kind: "EndpointSlice", apiVersion: "discovery.k8s.io/v1", plural: "endpointslices" },
] as const;

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** What is told of the objects of a cluster. */
export interface ClusterListener {
  /** It is there, new or another than before, as the API server gives it, with its kind and version. */
  heard(object: JsonFields): void;
  /** @param namespace empty for what is in none */
  removed(kind: string, namespace: string, name: string): void;
}

interface ClusterEvents extends ClusterListener {
  /** Everything that there is has been told. */
  synced(): void;
  /** `what` cannot be read for now. */
  trouble(what: string, error: unknown): void;
  /** And can be read again. */
  well(what: string): void;
  restarted(what: string): void;
}

/** A custom kind, and the watches over its versions. */
interface Watched {
  readonly kind: Kind;
  readonly plural: string;
  readonly objects: CustomKind;
  readonly watches: Map<string, ListWatch>;
  /** Ends the look at its definition that is under way. */
  look: AbortController | null;
}

export class ClusterWatch {
  readonly #client: KubeClient;
  readonly #events: ClusterEvents;
  readonly #watches: ListWatch[] = [];
  /** By the name of the definition. */
  readonly #custom = new Map<string, Watched>();
  /** What has not been told in full yet; null: all has. */
  #unsynced: Set<string> | null = new Set();

  constructor(client: KubeClient, events: ClusterEvents) {
    this.#client = client;
    this.#events = events;
    for (const kind of KINDS.filter(({ hasSchema }) => hasSchema)) this.#addCustom(kind);
  }

  start(): void {
    for (const { kind, apiVersion, plural } of CORE_KINDS) {
      const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
      this.#watches.push(this.#watch(plural, {
        path: `${path}/${plural}`,
        apiVersion,
        kind,
        put: (_key, object) => this.#events.heard(object),
        remove: (key) => this.#remove(kind, key),
      }));
    }
    this.#watches.push(this.#watch("customresourcedefinitions", {
      path: DEFINITIONS,
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      isMetadataOnly: true,
      put: (name) => this.#defined(name),
      remove: (name) => this.#undefined(name),
    }));
  }

  async stop(): Promise<void> {
    const custom = [...this.#custom.values()];
    for (const { look } of custom) look?.abort();
    const watches = [...this.#watches, ...custom.flatMap(({ watches }) => [...watches.values()])];
    await Promise.all(watches.map((watch) => watch.stop()));
  }

  #watch(
    what: string,
    parts: Pick<
      ConstructorParameters<typeof ListWatch>[0],
      "path" | "apiVersion" | "kind" | "isMetadataOnly" | "put" | "remove"
    >,
  ): ListWatch {
    this.#unsynced?.add(what);
    let isWell = true;
    return new ListWatch({
      ...parts,
      client: this.#client,
      onSynced: () => this.#synced(what),
      onWell: () => {
        if (!isWell) this.#events.well(what);
        isWell = true;
      },
      onTrouble: (error) => {
        isWell = false;
        this.#events.trouble(what, error);
      },
      onRestart: () => this.#events.restarted(what),
    });
  }

  #synced(what: string): void {
    if (this.#unsynced?.delete(what) !== true || this.#unsynced.size > 0) return;
    this.#unsynced = null;
    this.#events.synced();
  }

  #remove(kind: string, key: string): void {
    const slash = key.indexOf("/");
    this.#events.removed(kind, key.slice(0, Math.max(slash, 0)), key.slice(slash + 1));
  }

  // Custom kinds.

  #addCustom(kind: Kind): void {
    const plural = pluralOf(kind);
    if (plural === undefined) return;
    const objects = new CustomKind({
      put: (object) => this.#events.heard(object),
      remove: (key) => this.#remove(kindKey(kind.kind, kind.group), key),
    });
    const name = `${plural}.${kind.group}`;
    this.#custom.set(name, { kind, plural, objects, watches: new Map(), look: null });
  }

  #defined(name: string): void {
    const watched = this.#custom.get(name);
    if (watched === undefined) return;
    watched.look?.abort();
    watched.look = new AbortController();
    this.#unsynced?.add(name);
    this.#look(name, watched, watched.look.signal);
  }

  #undefined(name: string): void {
    const watched = this.#custom.get(name);
    if (watched === undefined) return;
    watched.look?.abort();
    this.#serve(watched, []);
    this.#synced(name);
  }

  /** Which versions it serves. */
  async #look(name: string, watched: Watched, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(RETRY_MS_MIN, RETRY_MS_MAX);
    while (!signal.aborted) {
      try {
        const definition = fieldsOf(
          await this.#client.call("GET", `${DEFINITIONS}/${name}`, { signal }),
        );
        if (signal.aborted) return;
        const versions = versionsServed(definition);
        // In the order of the kind, which is by age; what is not established yet will be told of again.
        this.#serve(watched, watched.kind.versions.filter((each) => versions.includes(each)));
        return this.#synced(name);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KubeError && error.status === 404) return this.#undefined(name);
        this.#events.trouble(name, error);
        await pause(backoff.nextMs(), signal);
      }
    }
  }

  #serve({ kind, plural, objects, watches }: Watched, versions: readonly string[]): void {
    for (const [version, watch] of watches) {
      if (versions.includes(version)) continue;
      watches.delete(version);
      watch.stop();
      this.#synced(`${plural} ${version}`);
    }
    objects.serve(versions);
    for (const version of versions) {
      if (watches.has(version)) continue;
      const apiVersion = `${kind.group}/${version}`;
      watches.set(
        version,
        this.#watch(`${plural} ${version}`, {
          path: `/apis/${apiVersion}/${plural}`,
          apiVersion,
          kind: kind.kind,
          put: (key, object) => objects.put(version, key, object),
          remove: (key) => objects.remove(version, key),
        }),
      );
    }
  }
}

/** Empty where the definition has not been accepted yet. */
function versionsServed(definition: JsonFields): readonly string[] {
  const conditions = fieldsOf(definition["status"])["conditions"];
  const isEstablished = (Array.isArray(conditions) ? conditions : []).map(fieldsOf).some((each) =>
    each["type"] === "Established" && each["status"] === "True"
  );
  const versions = fieldsOf(definition["spec"])["versions"];
  if (!isEstablished || !Array.isArray(versions)) return [];
  return versions.map(fieldsOf).filter(({ served }) => served === true)
    .flatMap((version) => textField(version, "name") ?? []);
}
