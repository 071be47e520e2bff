/**
 * The controller of a mesh: watches a cluster, compiles what is in the mesh, and keeps its proxies up to date. Proxies are let in once all
 * that the cluster has is known; before that they would be told that there is nothing.
 */
import { withDeadline } from "../base/deadline.ts";
import type { ResourceRef } from "../base/finding.ts";
import { collectStartGarbage, GrowthCollector } from "../base/start_garbage.ts";
import type { LeveledLog, Log, LogLevel } from "../base/log.ts";
import { serveAdmin } from "./admin.ts";
import { type ClusterListener, ClusterWatch } from "./cluster_watch.ts";
import { CONTROLLER, MESH_LABEL } from "./install/objects.ts";
import { KubeClient } from "./kube/client.ts";
import type { AccessSource } from "./kube/access.ts";
import {
  GROWN_HEAP_BYTES_MAX,
  HEAP_GROWTH,
  HEAP_LOOK_MS,
  MISSING_LOOK_MS,
  SETTLED_HEAP_BYTES_MAX,
  SILENT_WAIT_MS,
  SYNC_NOTICE_MS,
} from "./limits.ts";
import { MissingSidecars } from "./inject/missing_sidecars.ts";
import { startInjector } from "./injector.ts";
import { IdentityIssuer } from "./identity/identity_issuer.ts";
import { AUTHORITY_WAIT_MS } from "./identity/limits.ts";
import { MeshRoots } from "./identity/mesh_roots.ts";
import { ROOT_KIND } from "./identity/root_certificate.ts";
import { LiveMesh } from "./live_mesh.ts";
import { controllerCounts } from "./metrics.ts";
import { MeshConfigReader } from "./mesh_config.ts";
import { MeshObjects } from "./objects.ts";
import { logFindings } from "./report/log.ts";
import { FindingReports } from "./report/finding_reports.ts";
import { RolloutAnswers } from "./rollout/answers.ts";
import { Rollouts } from "./rollout/rollouts.ts";
import { askedPod, readSidecarMetrics, SidecarHistory } from "./smi_metrics/sidecar_history.ts";
import { StreamServer } from "./stream/server.ts";
import { TokenReviews } from "./stream/token_reviews.ts";

interface Place {
  readonly address: string;
  readonly port: number;
}

interface ControllerSettings {
  readonly access: AccessSource;
  readonly meshName: string;
  readonly clusterDomain: string;
  readonly permissive: boolean;
  /** What the mesh does not know is passed on. */
  readonly egress: boolean;
  /** Of the SPIFFE ids that certificates are for. */
  readonly trustDomain: string;
  readonly stream: Place;
  readonly certFile: string;
  readonly keyFile: string;
  /** Where the API server asks about pods, and the settings of sidecars; null: nowhere. */
  readonly webhook: (Place & { readonly settingsFile: string }) | null;
  readonly reviewsTokens: boolean;
  /** Null: none. */
  readonly admin: Place | null;
  readonly log: LeveledLog;
  /** How long proxies may take to come after a start. */
  readonly rejoinMs?: number;
  /** It cannot go on: proxies cannot be let in. */
  readonly onFailure: (error: unknown) => void;
}

export class Controller {
  readonly #settings: ControllerSettings;
  readonly #counts = controllerCounts();
  readonly #client: KubeClient;
  readonly #mesh: LiveMesh;
  readonly #objects: MeshObjects;
  readonly #config: MeshConfigReader;
  readonly #rollouts: Rollouts;
  readonly #report: FindingReports;
  readonly #identity: IdentityIssuer;
  readonly #roots: MeshRoots;
  readonly #missing: MissingSidecars;
  readonly #history: SidecarHistory;
  readonly #stream: StreamServer;
  readonly #cluster: ClusterWatch;
  readonly #troubles: Troubles;
  #admin: ReturnType<typeof serveAdmin> | null = null;
  #injector: Awaited<ReturnType<typeof startInjector>> | null = null;
  /** That of its account; empty: not known yet. */
  #namespace = "";
  /** Why it is not ready; null: it is. */
  #problem: string | null = "The cluster has not been read yet";
  #isEnding = false;
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  constructor(settings: ControllerSettings) {
    const { log, meshName, trustDomain } = settings;
    const counts = this.#counts;
    const client = this.#client = new KubeClient(settings.access);
    this.#settings = settings;
    this.#troubles = new Troubles(log);
    this.#mesh = new LiveMesh({
      ...settings,
      counts,
      onCompiled: () => this.#rollouts.compiled(),
      onFindings: (came, went) => this.#report.compiled(came, went),
    });
    this.#objects = new MeshObjects(meshName, {
      change: (change) => this.#mesh.change(change),
      findings: (ref, findings) => this.#report.read(ref, findings),
    });
    this.#config = this.#readConfig(log.level);
    this.#report = new FindingReports({
      ...{ client, counts, log },
      identityOf: (ref) => this.#readerOf(ref).identityOf(ref) ?? this.#missing.identityOf(ref),
    });
    this.#rollouts = new Rollouts({
      ...{ mesh: this.#mesh, counts },
      rejoinMs: settings.rejoinMs ?? SILENT_WAIT_MS,
      isPodReady: (namespace, name) => this.#objects.pod(namespace, name)?.ready,
    });
    this.#identity = new IdentityIssuer({ ...settings, counts });
    this.#roots = new MeshRoots({
      ...{ client, log, trustDomain },
      changed: (state) => this.#identity.set(state),
      findings: (ref, findings) => this.#report.read(ref, findings),
    });
    this.#missing = new MissingSidecars({
      namespaceOf: (name) => this.#objects.memberMeta(name),
      onWorkloads: (findings) => logFindings(findings, log),
      onPods: (came, went) => this.#report.found(came, went),
    });
    this.#history = new SidecarHistory({
      pods: () => [...this.#objects.memberPods()].flatMap(askedPod),
      read: readSidecarMetrics,
    });
    this.#stream = new StreamServer({
      ...settings.stream,
      ...{ certFile: settings.certFile, keyFile: settings.keyFile },
      ...{ mesh: this.#mesh.parts, identity: this.#identity, events: this.#rollouts },
      ...{ counts, log },
      tokens: settings.reviewsTokens
        ? new TokenReviews(
          client,
          counts,
          ({ namespace, pod = "", podUid = "" }) => this.#objects.hasPod(namespace, pod, podUid),
        )
        : null,
    });
    this.#cluster = this.#watchCluster();
  }

  /** @throws {Error} the admin address is taken */
  start(): void {
    const { log } = this.#settings;
    this.#admin = this.#serveAdmin();
    this.#cluster.start();
    const notice = setInterval(() => {
      if (this.#counts.synced === 1) return clearInterval(notice);
      log.warn("Waiting for the API server", { reason: this.#problem ?? "" });
    }, SYNC_NOTICE_MS);
    const looks = setInterval(() => {
      if (this.#counts.synced === 0) return;
      this.#counts.podsWithoutSidecar = this.#missing.report() ?? this.#counts.podsWithoutSidecar;
    }, MISSING_LOOK_MS);
    this.#timers.push(notice, looks);
  }

  /** Ends it in order: no proxy is let in any more, lines on their way are written, watches end. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    this.#problem = "The controller is ending";
    for (const timer of this.#timers) clearInterval(timer);
    const ending = [this.#stream, this.#injector, this.#report, this.#roots, this.#history];
    await Promise.all(ending.map((each) => each?.stop()));
    await this.#cluster.stop();
    this.#mesh.stop();
    this.#client.close();
    await this.#admin?.shutdown();
  }

  /** @param logLevel where it names none */
  #readConfig(logLevel: LogLevel): MeshConfigReader {
    const { log, ...traffic } = this.#settings;
    return new MeshConfigReader({
      changed: (ref, findings) => {
        const { mesh } = this.#config;
        this.#report.read(ref, findings);
        log.level = mesh.controllerLogLevel ?? logLevel;
        const { permissive = traffic.permissive, egress = traffic.egress } = mesh;
        this.#mesh.setTraffic({ permissive, egress }, this.#objects.all());
        this.#mesh.setMtlsMode(mesh.mtlsMode ?? "permissive");
      },
    });
  }

  /** Who knows an object of this kind. */
  #readerOf({ kind }: ResourceRef): Pick<MeshObjects, "identityOf"> {
    if (kind === ROOT_KIND) return this.#roots;
    return kind === "MeshConfig" ? this.#config : this.#objects;
  }

  #watchCluster(): ClusterWatch {
    const listeners: readonly ClusterListener[] = [
      this.#objects,
      this.#rollouts,
      this.#missing,
      this.#report,
      this.#config,
      this.#roots,
    ];
    return new ClusterWatch(this.#client, {
      heard(object) {
        for (const each of listeners) each.heard(object);
      },
      removed(kind, namespace, name) {
        for (const each of listeners) each.removed(kind, namespace, name);
      },
      synced: () => void this.#letIn().catch(this.#settings.onFailure),
      trouble: (resource, error) => this.#troubles.add(resource, error),
      well: (resource) => this.#troubles.remove(resource),
      restarted: (resource) => this.#counts.watchRestarts.add(resource),
    });
  }

  #serveAdmin(): ReturnType<typeof serveAdmin> | null {
    const { admin, meshName } = this.#settings;
    const labels = { app: CONTROLLER, [MESH_LABEL]: meshName };
    return admin && serveAdmin({
      ...admin,
      counts: this.#counts,
      problem: () => this.#problem,
      count: () => {
        this.#rollouts.count();
        this.#counts.namespaces = this.#objects.namespaces;
        this.#counts.leader = this.#report.isLeader ? 1 : 0;
        this.#counts.authorityExpiry = (this.#identity.state.expiresAtMs ?? 0) / 1_000;
      },
      identity: this.#identity,
      rollouts: new RolloutAnswers({
        ...{ rollouts: this.#rollouts, client: this.#client, port: admin.port },
        replicas: () => this.#objects.pods(this.#namespace, labels),
        findingsOf: (ref) => this.#report.findingsOf(ref),
      }),
    });
  }

  /** All that the cluster has is known: proxies, and the API server's questions, may come. */
  async #letIn(): Promise<void> {
    const namespace = this.#namespace = await this.#client.namespace();
    this.#config.start(namespace);
    // Proxies that come back need not hear that nothing can be signed yet; nor do they wait for it for long.
    await withDeadline(this.#roots.start(namespace), AUTHORITY_WAIT_MS, () => {});
    this.#mesh.open();
    // Proxies and the API server are let in afterwards, so that no answer waits for it.
    collectStartGarbage(Infinity);
    this.#counts.synced = 1;
    const port = await this.#stream.start();
    if (this.#isEnding) return this.#stream.stop();
    this.#rollouts.serving();
    this.#report.start(namespace);
    const injector = await this.#startInjector();
    if (this.#isEnding) return injector?.stop();
    this.#injector = injector;
    this.#problem = null;
    // Proxies have come back by then, and what they asked at once is garbage.
    const settled = () => collectStartGarbage(SETTLED_HEAP_BYTES_MAX);
    const growth = new GrowthCollector({ growth: HEAP_GROWTH, heapBytesMax: GROWN_HEAP_BYTES_MAX });
    this.#timers.push(
      setTimeout(settled, SILENT_WAIT_MS),
      setInterval(() => growth.look(), HEAP_LOOK_MS),
    );
    const { meshName, stream, webhook, log } = this.#settings;
    const admin = this.#admin?.addr;
    log.info("Controller started", {
      mesh: meshName,
      stream: `${stream.address}:${port}`,
      ...(injector === null ? {} : { webhook: `${webhook?.address}:${injector.port}` }),
      ...(admin === undefined ? {} : { admin: `${admin.hostname}:${admin.port}` }),
      namespaces: this.#objects.namespaces,
    });
  }

  async #startInjector(): Promise<Awaited<ReturnType<typeof startInjector>> | null> {
    const { webhook } = this.#settings;
    return webhook && await startInjector({
      ...this.#settings,
      ...webhook,
      ...{ client: this.#client, counts: this.#counts, history: this.#history },
      overrides: () => this.#config.injection,
      namespaceOf: (name) => this.#objects.memberMeta(name),
      outcomeOf: (object) => outcomeOf(this.#objects.candidate(object), this.#mesh),
    });
  }
}

/** What there would be to say of an object that is about to be written; null: it counts for nothing. */
function outcomeOf(candidate: ReturnType<MeshObjects["candidate"]>, mesh: LiveMesh) {
  if (candidate === null) return null;
  const { ref, findings, change } = candidate;
  const compiled = change === null ? [] : mesh.tryChange(change);
  return compiled === null ? null : { ref, came: [...findings, ...compiled] };
}

/** What cannot be read of the cluster. An API server that is away is said once, and not by every watch. */
class Troubles {
  readonly #log: Log;
  readonly #reasons = new Map<string, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  add(resource: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isNews = ![...this.#reasons.values()].includes(reason);
    this.#reasons.set(resource, reason);
    if (isNews) this.#log.warn("Cannot read the cluster", { resource, reason });
  }

  remove(resource: string): void {
    const had = this.#reasons.delete(resource);
    if (had && this.#reasons.size === 0) this.#log.info("The cluster can be read again");
  }
}
