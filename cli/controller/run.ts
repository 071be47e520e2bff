/** The work of `weft controller`: checks the options, starts what was asked for, ends it at a stop signal. */
import { createLog, type LogLevel } from "../../base/log.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { parseHostPort } from "../../console/values.ts";
import { Controller } from "../../controller/controller.ts";
import { giveBackMemory } from "../../sidecar/memory.ts";
import { parseTrustDomain } from "../../sidecar/tls_options.ts";
import { clusterAccess } from "../cluster/access.ts";
import type { ClusterOptions } from "../cluster/options.ts";

interface ControllerOptions extends ClusterOptions {
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly stream: string;
  readonly webhook?: string | undefined;
  readonly injection: string;
  readonly admin: string;
  readonly meshName: string;
  readonly clusterDomain: string;
  readonly enforceAccess: boolean;
  readonly egress: "on" | "off";
  readonly trustDomain: string;
  readonly tokenReview: "on" | "off";
  readonly logLevel: LogLevel;
}

/** Runs until a stop signal. */
export async function runController(
  options: ControllerOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stderr } = environment;
  const log = createLog({
    level: options.logLevel,
    format: stderr.isTerminal ? "human" : "json",
    sink: (line) => stderr.line(line),
    now: Date.now,
  });
  const access = clusterAccess(options, environment);
  // What is wrong with it is said at once, and not by every watch.
  await access.read().catch((error) => {
    throw failure("Cannot reach a cluster", error);
  });
  if (options.tokenReview === "off") log.warn("Any sidecar is let in (--token-review off)");
  const memory = giveBackMemory(Deno.build.os === "linux");
  const failed = Promise.withResolvers<never>();
  const stopped = untilStopped(environment);
  const controller = new Controller({
    access,
    meshName: options.meshName,
    clusterDomain: options.clusterDomain,
    permissive: !options.enforceAccess,
    egress: options.egress === "on",
    trustDomain: parseTrustDomain(options.trustDomain),
    stream: parseHostPort(options.stream),
    certFile: options.tlsCert,
    keyFile: options.tlsKey,
    webhook: options.webhook === undefined
      ? null
      : { ...parseHostPort(options.webhook), settingsFile: options.injection },
    reviewsTokens: options.tokenReview === "on",
    admin: options.admin === "off" ? null : parseHostPort(options.admin),
    log,
    onFailure: (error) => failed.reject(failure("Cannot start the controller", error)),
  });
  try {
    controller.start();
  } catch (error) {
    throw failure("Cannot start the controller", error);
  }
  try {
    const signal = await Promise.race([stopped.first, failed.promise]);
    log.info("Ending", { signal });
  } finally {
    await Promise.race([controller.stop(), stopped.second]);
    memory.end();
    stopped.ignore();
  }
  log.info("Stopped");
  return EXIT.ok;
}

/** A second signal does not wait for the end to be in order. */
function untilStopped(environment: Environment) {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  let signals = 0;
  const ignore = environment.onStopSignal((signal) => {
    (signals++ === 0 ? first : second).resolve(signal);
  });
  return { first: first.promise, second: second.promise, ignore };
}

function failure(what: string, error: unknown): CommandFailure {
  const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
  return new CommandFailure(`${what}: ${reason}`);
}
