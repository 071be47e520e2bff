/**
 * The work of `weft proxy`: start, follow the plan, drain. Knows proxies by their contract only (`proxy/config.ts`) and
 * plans by their hash.
 */
import { createLog, type Log } from "../base/log.ts";
import { asksForCertificates, type Proxy, type ProxyConfig } from "../proxy/config.ts";
import type { ProxyHooks } from "../proxy/run/running_proxy.ts";
import { formatWorkloadId } from "../base/spiffe.ts";
import { withDeadline } from "../base/deadline.ts";
import { startProxy } from "../proxy/run/start_proxy.ts";
import { accessQuestion } from "../routing/source/messages.ts";
import type { Environment } from "../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../console/exit.ts";
import { formatHostPort } from "../console/values.ts";
import { lookUpName } from "./look_up.ts";
import { tracingOf } from "./tracing.ts";
import { formatLost } from "./access_log.ts";
import { followCertificates, readCertificates, warnOfExpired } from "./certificates.ts";
import { ControllerFollower } from "./follow_controller.ts";
import { ControllerSource } from "./controller_source.ts";
import { PlanFollower, type PlanInForce } from "./follow_plan.ts";
import { IdentityKeeper } from "./identity.ts";
import { LineBuffer } from "./line_buffer.ts";
import { LocalSource } from "./local_source.ts";
import { PlanClient, type PlanTaker } from "./plan_client.ts";
import { PlanKeeper, type SavedPlan } from "./plan_keeper.ts";
import { openPlanFiles, type PlanFiles } from "./plan_files.ts";
import { findingReporter } from "./report_findings.ts";
import {
  planOrigin,
  sidecarConfig,
  type SidecarOptions,
  takesIdentity,
  tracedService,
} from "./settings.ts";
import { type TlsFiles, tlsFiles } from "./tls_options.ts";
import { FILES_END_MS, FIRST_CERTIFICATE_MS, LOG_FLUSH_MS } from "./limits.ts";
import { giveBackMemory } from "./memory.ts";

/** Runs until a stop signal. */
export async function runSidecar(
  options: SidecarOptions,
  environment: Environment,
): Promise<ExitCode> {
  const [seed] = crypto.getRandomValues(new Uint32Array(1));
  const plainConfig = {
    ...sidecarConfig(options, seed),
    ...tracingOf(tracedService(options), environment),
  };
  const certificates = tlsFiles(options);
  const origin = planOrigin(options);
  const hasIdentity = takesIdentity(options, origin, certificates);
  const plans = origin.kind === "controller"
    ? new ControllerSource(origin.place)
    : await openPlanFiles(origin, environment, options.capture);
  const { stdout, stderr } = environment;
  const events = new LineBuffer({
    send: stderr.send,
    lost: (count) => JSON.stringify({ lost: count }),
  });
  const log = createLog({
    level: options.logLevel,
    format: stderr.isTerminal ? "human" : "json",
    // A person reads it among what else is written there.
    sink: (line) => stderr.isTerminal ? stderr.line(line) : events.line(line),
    now: Date.now,
  });
  const accesses = new LineBuffer({
    send: stdout.send,
    lost: (count) => formatLost(options.accessLog, count),
  });
  try {
    return await serve({
      ...{ options, environment, plainConfig, certificates, hasIdentity, plans, log, accesses },
    });
  } finally {
    await Promise.all([accesses.flush(LOG_FLUSH_MS), events.flush(LOG_FLUSH_MS)]);
  }
}

interface SidecarParts {
  readonly options: SidecarOptions;
  readonly environment: Environment;
  readonly plainConfig: ProxyConfig;
  readonly certificates: TlsFiles | null;
  /** Certificates come from the controller. */
  readonly hasIdentity: boolean;
  readonly plans: PlanFiles | ControllerSource;
  readonly log: Log;
  readonly accesses: LineBuffer;
}

async function serve(parts: SidecarParts): Promise<ExitCode> {
  const { options, environment, plainConfig, certificates, plans, log, accesses } = parts;
  const config = certificates === null
    ? plainConfig
    : { ...plainConfig, tls: await readCertificates(certificates) };
  if (config.tls !== undefined) warnOfExpired(config.tls, log);
  const report = findingReporter(log, environment.stderr);
  const { stateDir } = options;
  const keeper = stateDir === undefined
    ? null
    : new PlanKeeper(stateDir, (finding) => report([finding]));
  const quit = Promise.withResolvers<string>();
  const failed = Promise.withResolvers<string>();
  const proxy = await start(config, {
    ...hooksFor(options, log, accesses),
    onQuestion: (question) => client.ask(question),
    heldPlan: () => client.held.plan,
    onExplain: (query) => client.knowOf(query, config),
    ...(keeper === null ? {} : { planKeeping: () => keeper.keeping }),
    onIdle: () => memory?.onIdle(),
    isWorking: () => follower.isWorking,
    planProblem: () => follower.problem,
    certificateProblem: () => identity?.problem ?? "",
    onQuit: () => quit.resolve("quitquitquit"),
    onFailure: failed.resolve,
  });
  const identity = parts.hasIdentity && plans instanceof ControllerSource
    ? startIdentity(plans, { options, proxy, log })
    : null;
  let memory = null as ReturnType<typeof giveBackMemory> | null;
  const local = new LocalSource();
  const client = new PlanClient({
    source: plans instanceof ControllerSource ? plans : local,
    proxy: identity === null ? proxy : onceKnown(proxy, identity, log),
    always: identitiesOf(config).map(accessQuestion),
    log,
    onChange(held, isNews) {
      if (follower instanceof ControllerFollower) follower.changed(held, isNews);
      else if (local.isOpen) keeper?.accepted(held);
    },
    onTrouble(error) {
      if (follower instanceof ControllerFollower) follower.troubled(error);
    },
  });
  const following = {
    restore: ({ plan }: SavedPlan) => client.restore(plan),
    keeper,
    log,
    report,
    where: proxy.admin === null ? {} : { admin: formatHostPort(proxy.admin) },
    onFirst(plan: PlanInForce) {
      warnOfStrangers(config, plan, log);
      log.info("Proxy started", describe(proxy, plan));
      memory = giveBackMemory(proxy.driver === "native");
    },
    onFailure: (error: unknown) => failed.resolve(Promise.try(startFailure, error)),
  };
  const follower = plans instanceof ControllerSource
    ? new ControllerFollower({ ...following, acknowledger: () => plans.acknowledger() })
    : new PlanFollower({
      ...following,
      source: plans,
      async serve(plan) {
        plan.serve(local);
        client.connectNow();
        await client.settled();
      },
    });
  // Listened for before anything is told that it runs.
  const stopped = Promise.race([
    untilStopped(proxy, quit.promise, log, environment),
    untilFailed(proxy, failed.promise),
  ]);
  // One that is of no use is told of where it is needed.
  const saved = await keeper?.read().catch(() => null) ?? null;
  if (saved !== null) client.remember(saved.plan);
  client.start();
  follower.start();
  const stopReplacing = certificates && followCertificates(certificates, proxy, log);
  try {
    return await stopped;
  } finally {
    memory?.end();
    client.stop();
    const all = [identity?.stop(), follower.stop(), stopReplacing?.(), keeper?.settled()];
    // A source that never ends may be what is being read.
    await withDeadline(Promise.all(all), FILES_END_MS, () => []);
  }
}

function startIdentity(
  source: ControllerSource,
  { options, proxy, log }: Pick<SidecarParts, "options" | "log"> & { readonly proxy: Proxy },
): IdentityKeeper {
  const { trustDomain, namespace, serviceAccount } = options;
  const identity = new IdentityKeeper({
    uri: formatWorkloadId({ trustDomain, identity: `${namespace}/${serviceAccount}` }),
    send: (request) => source.requestIdentity(request),
    proxy,
    log,
  });
  source.giveIdentity(identity);
  identity.start();
  return identity;
}

/**
 * The proxy as plans find it: it opens its listeners once it has a certificate to show, for a sidecar that has been started again would be
 * refused where callers must show one. Where none comes, what may be plain is better than nothing.
 */
function onceKnown(proxy: Proxy, identity: IdentityKeeper, log: Log): PlanTaker {
  let isKnown = false;
  const known = withDeadline(identity.first, FIRST_CERTIFICATE_MS, () => {
    log.warn("Starting without a certificate", { reason: identity.problem ?? "" });
  }).then(() => {
    isKnown = true;
  });
  return {
    update: (change) =>
      isKnown ? proxy.update(change) : known.then(async () => {
        await proxy.update(change);
      }),
    sourceIsAway: (isAway) => proxy.sourceIsAway(isAway),
    unusedQuestions: () => proxy.unusedQuestions(),
  };
}

/**
 * Rejects once the proxy is not whole any more. It cannot drain: connections that come meanwhile would hang, and a new
 * start makes it whole.
 */
async function untilFailed(proxy: Proxy, failed: Promise<string>): Promise<never> {
  const message = await failed;
  await proxy.stop();
  throw new CommandFailure(message);
}

/** A caller without a sidecar is not checked: better to know that before it calls. */
function warnOfStrangers(
  config: ProxyConfig,
  { permissive }: PlanInForce,
  log: Log,
): void {
  if (permissive || config.inbound.length === 0 || asksForCertificates(config)) return;
  log.warn("Traffic targets are not enforced on inbound requests", {
    reason: "callers are not asked for certificates (--inbound-tls-client-ca)",
  });
}

/** Who may call them, and what they may call outside, has to be known before the first call. */
function identitiesOf({ inbound, outbound }: ProxyConfig): string[] {
  const identities = [...inbound, ...outbound].map(({ identity = "" }) => identity);
  return [...new Set(identities)].filter((identity) => identity !== "");
}

function hooksFor(options: SidecarOptions, log: Log, accesses: LineBuffer): ProxyHooks {
  const { accessLog } = options;
  const onLog: ProxyHooks["onLog"] = (level, message, fields) => log.write(level, message, fields);
  if (accessLog === "none") return { onLog, lookUp: lookUpName };
  return {
    onLog,
    lookUp: lookUpName,
    onAccessLines: (lines, count) => accesses.lines(lines, count),
    accessesLost: () => accesses.dropped,
  };
}

/** Starts a proxy that waits for its first plan. */
async function start(config: ProxyConfig, hooks: ProxyHooks): Promise<Proxy> {
  try {
    return await startProxy(config, null, hooks);
  } catch (error) {
    throw new CommandFailure(startFailure(error));
  }
}

/** Where the system refuses (a port in use, an address that is not here), one line says so. A defect is thrown. */
function startFailure(error: unknown): string {
  if (!(error instanceof Error) || error.name === "AssertionError") throw error;
  return `Cannot start the proxy: ${error.message.split("\n")[0]}`;
}

function describe(proxy: Proxy, plan: PlanInForce) {
  const [outbound] = proxy.outbound;
  const [inbound] = proxy.inbound;
  return {
    driver: proxy.driver,
    outbound: formatHostPort(outbound),
    ...(inbound === undefined ? {} : { inbound: formatHostPort(inbound) }),
    ...(proxy.admin === null ? {} : { admin: formatHostPort(proxy.admin) }),
    plan: plan.hash.slice(0, 12),
    services: plan.serviceCount,
  };
}

/**
 * First signal, or what `quit` gives, as its name: drain, then 0. Second: at once, and not 0, because requests were
 * cut. SIGTERM is what the kubelet sends, and clients go on coming until they have heard that the pod is gone; after any other
 * end none are expected.
 */
async function untilStopped(
  proxy: Proxy,
  quit: Promise<string>,
  log: Log,
  environment: Environment,
): Promise<ExitCode> {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  let signals = 0;
  const stopListening = environment.onStopSignal((signal) => {
    (signals++ === 0 ? first : second).resolve(signal);
  });
  const signal = await Promise.race([first.promise, quit]);
  log.info("Draining", { signal });
  let isCut = false;
  const cut = second.promise.then(() => {
    isCut = true;
    return proxy.stop();
  });
  await Promise.race([proxy.drain(signal === "SIGTERM"), cut]);
  stopListening();
  log.info("Stopped");
  return isCut ? EXIT.failed : EXIT.ok;
}
