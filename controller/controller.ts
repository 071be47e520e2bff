/**
 * The controller of a mesh: watches a cluster, compiles what is in the mesh, and keeps its proxies up to date. Proxies are let in once all
 * that the cluster has is known; before that they would be told that there is nothing.
 */
import type { LeveledLog, Log } from "../base/log.ts";
import { serveAdmin } from "./admin.ts";
import { ClusterWatch } from "./cluster_watch.ts";
import { CONTROLLER, MESH_LABEL } from "./install/objects.ts";
import { KubeClient } from "./kube/client.ts";
import type { AccessSource } from "./kube/access.ts";
import { MISSING_LOOK_MS, SILENT_WAIT_MS, SYNC_NOTICE_MS } from "./limits.ts";
import { MissingSidecars } from "./inject/missing_sidecars.ts";
import { startInjector } from "./injector.ts";
import { IdentityIssuer } from "./identity/identity_issuer.ts";
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

interface Controller {
  /** Ends it in order: no proxy is let in any more, lines on their way are written, watches end. */
  stop(): Promise<void>;
}

/** @throws {Error} the admin address is taken */
export function startController(settings: ControllerSettings): Controller {
  const { access, log, onFailure } = settings;
  const logLevel = log.level;
  const counts = controllerCounts();
  const client = new KubeClient(access);
  const mesh: LiveMesh = new LiveMesh({
    ...settings,
    counts,
    onCompiled: () => rollouts.compiled(),
    onFindings: (came, went) => report.compiled(came, went),
  });
  const rollouts = new Rollouts({
    mesh,
    counts,
    rejoinMs: settings.rejoinMs ?? SILENT_WAIT_MS,
    isPodReady: (namespace, name) => objects.pod(namespace, name)?.ready,
  });
  const identity = new IdentityIssuer({ ...settings, counts });
  const roots: MeshRoots = new MeshRoots({
    ...{ client, log, trustDomain: settings.trustDomain },
    changed: (state) => identity.set(state),
    findings: (ref, findings) => report.read(ref, findings),
  });
  let problem: string | null = "The cluster has not been read yet";
  const stream = new StreamServer({
    ...settings.stream,
    certFile: settings.certFile,
    keyFile: settings.keyFile,
    mesh: mesh.parts,
    identity,
    tokens: settings.reviewsTokens ? new TokenReviews(client, counts) : null,
    counts,
    events: rollouts,
    log,
  });
  const objects = new MeshObjects(settings.meshName, {
    change: (change) => mesh.change(change),
    findings: (ref, findings) => report.read(ref, findings),
  });
  const report = new FindingReports({
    ...{ client, counts, log },
    identityOf(ref) {
      if (ref.kind === ROOT_KIND) return roots.identityOf(ref);
      return ref.kind === "MeshConfig" ? config.identity : objects.identityOf(ref);
    },
  });
  const config = new MeshConfigReader({
    changed(ref, findings) {
      report.read(ref, findings);
      log.level = config.mesh.controllerLogLevel ?? logLevel;
      mesh.setPermissive(config.mesh.permissive ?? settings.permissive, objects.all());
      mesh.setMtlsMode(config.mesh.mtlsMode ?? "permissive");
    },
  });
  // Its own namespace is that of its account.
  let ownNamespace = "";
  const answers = new RolloutAnswers({
    rollouts,
    client,
    replicas: () =>
      objects.pods(ownNamespace, { app: CONTROLLER, [MESH_LABEL]: settings.meshName }),
    port: settings.admin?.port ?? 0,
    findingsOf: (ref) => report.findingsOf(ref),
  });
  const missing = new MissingSidecars({
    namespaceOf: (name) => objects.memberMeta(name),
    onFindings: (findings) => logFindings(findings, log),
  });
  const admin = settings.admin && serveAdmin({
    ...settings.admin,
    counts,
    problem: () => problem,
    count() {
      rollouts.count();
      counts.namespaces = objects.namespaces;
      counts.leader = report.isLeader ? 1 : 0;
      counts.authorityExpiry = (identity.state.expiresAtMs ?? 0) / 1_000;
    },
    ...{ rollouts: answers, identity },
  });
  const history = new SidecarHistory({
    pods: () => [...objects.memberPods()].flatMap(askedPod),
    read: readSidecarMetrics,
  });
  let injector: Awaited<ReturnType<typeof startInjector>> | null = null;
  let isEnding = false;
  const letIn = async (): Promise<void> => {
    ownNamespace = await client.namespace();
    config.start(ownNamespace);
    roots.start(ownNamespace);
    mesh.open();
    counts.synced = 1;
    const port = await stream.start();
    if (isEnding) return stream.stop();
    rollouts.serving();
    report.start(ownNamespace);
    const started = settings.webhook && await startInjector({
      ...settings,
      ...settings.webhook,
      client,
      counts,
      history,
      overrides: () => config.injection,
      namespaceOf: (name) => objects.memberMeta(name),
      outcomeOf: (object) => outcomeOf(objects.candidate(object), mesh),
    });
    if (isEnding) return started?.stop();
    injector = started;
    problem = null;
    log.info("Controller started", {
      mesh: settings.meshName,
      stream: `${settings.stream.address}:${port}`,
      ...(injector === null ? {} : { webhook: `${settings.webhook?.address}:${injector.port}` }),
      ...(admin === null ? {} : { admin: `${admin.addr.hostname}:${admin.addr.port}` }),
      namespaces: objects.namespaces,
    });
  };
  const troubles = new Troubles(log);
  const cluster = new ClusterWatch(client, {
    put(object) {
      objects.put(object);
      rollouts.heard(object);
      missing.put(object);
      report.heard(object);
      config.heard(object);
      roots.heard(object);
    },
    remove(kind, namespace, name) {
      objects.remove(kind, namespace, name);
      missing.remove(kind, namespace, name);
      report.removed(kind, namespace, name);
      config.removed(kind, namespace, name);
      roots.removed(kind, namespace, name);
      if (kind === "TrafficSplit") rollouts.removed(`${namespace}/${name}`);
    },
    synced: () => void letIn().catch(onFailure),
    trouble: (resource, error) => troubles.add(resource, error),
    well: (resource) => troubles.remove(resource),
    restarted: (resource) => counts.watchRestarts.add(resource),
  });
  cluster.start();
  const notice = setInterval(() => {
    if (counts.synced === 0) log.warn("Waiting for the API server", { reason: problem ?? "" });
    else clearInterval(notice);
  }, SYNC_NOTICE_MS);
  const looks = setInterval(() => {
    if (counts.synced === 1) {
      counts.podsWithoutSidecar = missing.report() ?? counts.podsWithoutSidecar;
    }
  }, MISSING_LOOK_MS);
  return {
    async stop() {
      isEnding = true;
      problem = "The controller is ending";
      clearInterval(notice);
      clearInterval(looks);
      await Promise.all([
        ...[stream.stop(), injector?.stop(), report.stop(), roots.stop()],
        history.stop(),
      ]);
      await cluster.stop();
      mesh.stop();
      client.close();
      await admin?.shutdown();
    },
  };
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
