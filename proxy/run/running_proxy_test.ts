// Tests of a proxy over event loops that are told what to do: what it says of itself, and how it begins and ends.
import assert from "node:assert/strict";
import type { Plan } from "../../routing/plan.ts";
import { planForTest } from "../../routing/table/plan_for_test.ts";
import { DEFAULT_TIMEOUTS } from "../config.ts";
import type { ProxyConfig } from "../config.ts";
import type { CommandInput, CommandKind, CommandReply } from "./commands.ts";
import { soon } from "../../tests/support/until.ts";
import type { FirstPlan } from "./engine.ts";
import type { EventLoop } from "./event_loop.ts";
import { RunningProxy } from "./running_proxy.ts";

const CONFIG: ProxyConfig = {
  driver: "native",
  workers: 2,
  outbound: [{ address: "127.0.0.1", port: 0, namespace: "app", identity: "", seed: null }],
  inbound: [],
  admin: { address: "127.0.0.1", port: 0 },
  timeouts: DEFAULT_TIMEOUTS,
  bodyBytesMax: Infinity,
  reportRequests: false,
};

const planNamed = (hash: string): Plan => ({ ...planForTest([]), hash });

class FakeLoop implements EventLoop {
  readonly ports = { outbound: [4_000], inbound: [] };
  readonly #end = Promise.withResolvers<void>();
  readonly ended = this.#end.promise;
  readonly asked: CommandKind[] = [];
  isStopped = false;
  /** It takes long to drain. */
  lingers = false;
  /** Commands that it does not obey. */
  refuses: readonly CommandKind[] = [];

  ask<Kind extends CommandKind>(
    kind: Kind,
    ..._given: CommandInput<Kind>
  ): Promise<CommandReply<Kind>> {
    this.asked.push(kind);
    if (this.refuses.includes(kind)) return Promise.reject(new Error("An event loop is stuck"));
    if (kind === "drain" && !this.lingers) this.#end.resolve();
    return Promise.resolve(undefined as CommandReply<Kind>);
  }

  stop(): Promise<void> {
    this.isStopped = true;
    this.#end.resolve();
    return this.ended;
  }
}

interface Started {
  readonly proxy: RunningProxy;
  readonly loops: readonly FakeLoop[];
  /** What the loops were started with. */
  readonly starts: (readonly [ProxyConfig, FirstPlan])[];
  ask(path: string): Promise<[number, string]>;
}

/** @param begin what there is to wait for while loops start */
function start(begin: (first: FirstPlan) => Promise<void> = () => Promise.resolve()): Started {
  const loops = [new FakeLoop(), new FakeLoop()];
  const starts: [ProxyConfig, FirstPlan][] = [];
  const hooks = { planProblem: () => "no such file" };
  const proxy = new RunningProxy("native", CONFIG, hooks, async (config, plan) => {
    starts.push([config, plan]);
    await begin(plan);
    return loops;
  });
  const ask = async (path: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${proxy.admin?.port}${path}`);
    return [response.status, await response.text()];
  };
  return { proxy, loops, starts, ask };
}

const READY = [200, "ready\n"];
const WAITING = [503, "not ready: waiting for a plan: no such file\n"];

Deno.test("proxy without a plan: waits for one that can be served", async () => {
  const { proxy, loops, starts, ask } = start((plan) =>
    plan.hash === "bad" ? Promise.reject(new Error("it cannot be executed")) : Promise.resolve()
  );
  assert.deepEqual(await ask("/readyz"), WAITING);
  assert.deepEqual(await ask("/healthz"), [200, "ok\n"]);
  await assert.rejects(proxy.apply(planNamed("bad")), /cannot be executed/);
  assert.deepEqual(await ask("/readyz"), WAITING);
  assert.deepEqual(proxy.outbound, []);
  await proxy.apply(planNamed("good"));
  assert.deepEqual(await ask("/readyz"), READY);
  assert.deepEqual(proxy.outbound, [{ address: "127.0.0.1", port: 4_000 }]);
  await proxy.apply(planNamed("better"));
  assert.deepEqual(starts.map(([, { hash }]) => hash), ["bad", "good"]);
  assert.deepEqual(loops[1].asked.filter((kind) => kind === "apply"), ["apply"]);
  await proxy.stop();
});

Deno.test("proxy without a plan: certificates that come meanwhile are those it starts with", async () => {
  const { proxy, starts } = start();
  await proxy.replaceCertificates({
    upstream: { certificate: null, authority: null, target: null, minVersion: "1.3" },
  });
  await proxy.apply(planNamed("good"));
  assert.equal(starts[0][0].tls?.upstream?.minVersion, "1.3");
  await proxy.stop();
});

for (const end of ["drain", "stop"] as const) {
  Deno.test(`proxy: loops that are being started when it is told to ${end} do not stay`, async () => {
    const starting = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const { proxy, loops } = start(() => {
      starting.resolve();
      return begun.promise;
    });
    const applied = proxy.apply(planNamed("good"));
    await soon("the start of a loop", starting.promise);
    const ended = proxy[end]();
    begun.resolve();
    await assert.rejects(applied, /draining/);
    await ended;
    assert.ok(loops.every(({ isStopped }) => isStopped));
  });
}

Deno.test("proxy: a loop that does not obey keeps no other from draining, and is stopped", async () => {
  const { proxy, loops: [stuck, well] } = start();
  await proxy.apply(planNamed("good"));
  stuck.refuses = ["discourage", "drain"];
  await proxy.drain();
  assert.ok(stuck.isStopped);
  assert.ok(well.asked.includes("drain"));
});

Deno.test("proxy, draining: not ready; a loop that is done is no fault, one that is stuck is", async () => {
  const { proxy, loops: [one, other], ask } = start();
  await proxy.apply(planNamed("good"));
  other.lingers = true;
  const drained = proxy.drain();
  await one.ended;
  assert.deepEqual(await ask("/readyz"), [503, "not ready: draining\n"]);
  assert.deepEqual(await ask("/healthz"), [200, "ok\n"]);
  other.refuses = ["ping"];
  assert.deepEqual(await ask("/healthz"), [500, "not ok: an event loop does not answer\n"]);
  await other.stop();
  await drained;
});
