/** Starts a proxy: chooses a driver, starts its event loops and the admin port, and keeps them on one plan. */
import type { Plan } from "../routing/plan.ts";
import { startAdmin } from "./admin.ts";
import type { Proxy, ProxyConfig, ProxyHooks } from "./config.ts";
import { IoError } from "./io/io.ts";
import { openLibc } from "./io/libc.ts";
import { NAME_LOOKUP_MS, SHARED_SLOTS } from "./limits.ts";
import type { Lane, LaneHooks } from "./lane.ts";
import { startInlineLane, startNativeLane, startPortableLane } from "./lane.ts";
import { Slots } from "./state/slots.ts";
import { Taps } from "./tap.ts";
import { postTo, SpanExporter } from "./tracing/exporter.ts";
import { withTicketKeys } from "./tls_config.ts";

/**
 * Starts a proxy that serves `plan`.
 * @throws {IoError} an address cannot be had, or the driver that was asked for does not work here
 * @throws {PlanError} the plan cannot be executed
 */
export async function startProxy(
  asked: ProxyConfig,
  plan: Plan,
  hooks: ProxyHooks = {},
): Promise<Proxy> {
  const driver = chooseDriver(asked, hooks);
  const config = asked.tls === undefined ? asked : { ...asked, tls: withTicketKeys(asked.tls) };
  let isAlive = true;
  let lanes: readonly Lane[] = [];
  const taps = new Taps(async (demand) => {
    await Promise.all(lanes.map((lane) => lane.report(demand)));
  });
  const exporter = config.spans === undefined ? null : new SpanExporter(config.spans, {
    post: postTo(config.spans),
    onProblem: (message, fields) => hooks.onLog?.("warn", message, fields),
  });
  const laneHooks: LaneHooks = {
    onSpans: (spans) => exporter?.offer(spans),
    onRecords(records) {
      const timeMs = Date.now();
      for (const record of records) {
        if (config.reportRequests) hooks.onRequest?.(record);
        taps.offer(record, timeMs);
      }
    },
    onLog({ level, message, fields }) {
      hooks.onLog?.(level, message, fields);
    },
    lookUp: (name) => lookUp(name, hooks),
    onFailure(message) {
      isAlive = false;
      hooks.onFailure?.(`An event loop of the proxy has ended: ${message}`);
    },
  };
  lanes = await startLanes(driver, config, plan, laneHooks);
  const ports = lanes[0].ports;
  const keeper = hooks.planKeeper ?? null;
  let current = plan;
  let applying = Promise.resolve();
  // A plan is accepted here and in `apply` below, wherever it came from.
  if (keeper?.keeping.isRestored === false) keeper.accepted(plan);
  let isReady = true;
  let admin = null;
  try {
    if (config.admin !== null) {
      admin = startAdmin(config.admin, {
        plan: () => current,
        lanes: () => lanes,
        taps,
        spans: exporter?.counts ?? null,
        accessesLost: () => hooks.accessesLost?.() ?? 0,
        planKeeping: () => keeper?.keeping ?? null,
        isAlive: () => isAlive,
        isReady: () => isReady && isAlive,
        quit: hooks.onQuit ?? null,
      });
    }
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane.stop()));
    const { address, port } = config.admin ?? { address: "", port: 0 };
    throw new IoError(
      `Cannot listen on ${address}:${port} (admin): ${
        error instanceof Error ? error.message : error
      }`,
    );
  }
  const end = async (ending: Promise<void>[]) => {
    isReady = false;
    await Promise.allSettled(ending);
    taps.close();
    await Promise.all([admin?.stop(), exporter?.stop(), keeper?.settled()]);
  };
  return {
    driver,
    outbound: config.outbound.map(({ address }, i) => ({ address, port: ports.outbound[i] })),
    inbound: config.inbound.map(({ address }, i) => ({ address, port: ports.inbound[i] })),
    admin: admin === null ? null : { address: admin.address, port: admin.port },
    apply(next) {
      // One after another: loops that share their splits must not be more than one plan apart.
      const applied = applying.then(async () => {
        await Promise.all(lanes.map((lane) => lane.apply(next)));
        current = next;
        keeper?.accepted(next);
      });
      applying = applied.catch(() => {});
      return applied;
    },
    async replaceCertificates(tls) {
      const shared = withTicketKeys(tls);
      await Promise.all(lanes.map((lane) => lane.replaceCertificates(shared)));
    },
    drain: () => end(lanes.map((lane) => lane.drain())),
    stop: () => end(lanes.map((lane) => lane.stop())),
  };
}

/** By whoever started the proxy, else by Deno, which asks the name servers and reads no hosts file. */
async function lookUp(name: string, hooks: ProxyHooks): Promise<readonly string[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<readonly string[]>((resolve) => {
    timer = setTimeout(() => resolve([]), NAME_LOOKUP_MS);
  });
  try {
    return await Promise.race([late, hooks.lookUp?.(name) ?? lookUpByDeno(name)]);
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}

async function lookUpByDeno(name: string): Promise<readonly string[]> {
  const answers = await Promise.allSettled([
    Deno.resolveDns(name, "A"),
    Deno.resolveDns(name, "AAAA"),
  ]);
  return answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
}

/** @throws {IoError} the native driver was asked for, or is needed, and does not work here */
function chooseDriver(config: ProxyConfig, hooks: ProxyHooks): "native" | "portable" {
  const captures = [...config.outbound, ...config.inbound].some(({ capture }) => capture === true);
  if (config.driver === "portable" && captures) {
    throw new IoError("Cannot capture with the portable driver: it is not told where clients go");
  }
  if (config.driver === "portable") return "portable";
  try {
    openLibc();
    return "native";
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    if (config.driver === "native" || captures) {
      throw new IoError(`Cannot use the native driver: ${cause}`);
    }
    hooks.onLog?.("info", "Using the portable driver", { cause });
    return "portable";
  }
}

async function startLanes(
  driver: "native" | "portable",
  config: ProxyConfig,
  plan: Plan,
  hooks: LaneHooks,
): Promise<Lane[]> {
  if (driver === "portable") return [startPortableLane(config, plan, hooks)];
  if (config.workers === 0) return [startInlineLane(config, plan, hooks)];
  const shared = config.workers === 1 ? null : {
    memory: Slots.allocate(SHARED_SLOTS),
    clockOriginMs: performance.timeOrigin,
  };
  const lanes = [await startNativeLane(config, plan, shared, hooks)];
  const { outbound, inbound } = lanes[0].ports;
  // Ports that were left open are known now; the other loops share them.
  const rest: ProxyConfig = {
    ...config,
    outbound: config.outbound.map((listener, i) => ({ ...listener, port: outbound[i] })),
    inbound: config.inbound.map((listener, i) => ({ ...listener, port: inbound[i] })),
  };
  while (lanes.length < config.workers) {
    lanes.push(await startNativeLane(rest, plan, shared, hooks));
  }
  return lanes;
}
