/** Starts a proxy: chooses a driver and starts its event loops. */
import { withDeadline } from "../../base/deadline.ts";
import type { Plan } from "../../routing/plan.ts";
import type { Proxy, ProxyConfig } from "../config.ts";
import type { ProxyHooks } from "./running_proxy.ts";
import { IoError } from "../io/io.ts";
import { openLibc } from "../io/libc.ts";
import { NAME_LOOKUP_MS, SHARED_SLOTS } from "../limits.ts";
import { Slots } from "../state/slots.ts";
import { withTicketKeys } from "../tls/config.ts";
import type { FirstPlan } from "./engine.ts";
import type { EventLoop, LoopHooks } from "./event_loop.ts";
import { startInlineLoop, startPortableLoop } from "./local_loop.ts";
import { RunningProxy } from "./running_proxy.ts";
import { startWorkerLoop } from "./worker_loop.ts";

/**
 * Starts a proxy that serves `plan`; null: it waits for the first one that it is told to apply, its listeners closed until then.
 * @throws {IoError} an address cannot be had, or the driver that was asked for does not work here
 * @throws {Error} the plan cannot be executed
 */
export async function startProxy(
  asked: ProxyConfig,
  plan: Plan | null,
  hooks: ProxyHooks = {},
): Promise<Proxy> {
  const driver = chooseDriver(asked, hooks);
  const config = asked.tls === undefined ? asked : { ...asked, tls: withTicketKeys(asked.tls) };
  const proxy = new RunningProxy(
    driver,
    config,
    hooks,
    (current, first, reports) =>
      startLoops(driver, current, first, {
        ...reports,
        onLog({ level, message, fields }) {
          hooks.onLog?.(level, message, fields);
        },
        lookUp: (name) => lookUp(name, hooks),
        ask: hooks.onQuestion,
        isWorking: hooks.isWorking,
        onIdle: hooks.onIdle,
      }),
  );
  if (plan === null) return proxy;
  try {
    await proxy.apply(plan);
  } catch (error) {
    await proxy.stop();
    throw error;
  }
  return proxy;
}

/** As what started the proxy does, else by Deno, which asks the name servers and reads no hosts file. */
async function lookUp(name: string, hooks: ProxyHooks): Promise<readonly string[]> {
  try {
    return await withDeadline(
      hooks.lookUp?.(name) ?? lookUpByDeno(name),
      NAME_LOOKUP_MS,
      () => [],
    );
  } catch {
    return [];
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

async function startLoops(
  driver: "native" | "portable",
  config: ProxyConfig,
  first: FirstPlan,
  hooks: LoopHooks,
): Promise<readonly EventLoop[]> {
  if (driver === "portable") return [startPortableLoop(config, first, hooks)];
  if (config.workers === 0) return [startInlineLoop(config, first, hooks)];
  const shared = config.workers === 1 ? null : {
    memory: Slots.allocate(SHARED_SLOTS),
    clockOriginMs: performance.timeOrigin,
  };
  const loops = [await startWorkerLoop(config, first, shared, hooks)];
  const { outbound, inbound } = loops[0].ports;
  // Ports that were left open are known now; the other loops share them.
  const rest: ProxyConfig = {
    ...config,
    outbound: config.outbound.map((listener, i) => ({ ...listener, port: outbound[i] })),
    inbound: config.inbound.map((listener, i) => ({ ...listener, port: inbound[i] })),
  };
  try {
    while (loops.length < config.workers) {
      loops.push(await startWorkerLoop(rest, first, shared, hooks));
    }
  } catch (error) {
    await Promise.all(loops.map((loop) => loop.stop()));
    throw error;
  }
  return loops;
}
