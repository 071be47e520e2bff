/**
 * A source and a proxy come to the same, whatever happens on the way: for what it has asked, a proxy decides as it would if it held the whole
 * mesh; it holds nothing else; and an update is taken whole or not at all.
 */
import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../base/random.ts";
import { ReferenceSource } from "../../tests/support/reference_source.ts";
import { compile } from "../compile/compile.ts";
import { anySnapshot } from "../compile/snapshot_for_test.ts";
import { hashPlan, neededBy, type PartKey, planHeaderOf } from "../parts.ts";
import type { Plan, PlanService } from "../plan.ts";
import { HostIndex, HostMatch } from "../table/host_index.ts";
import { AddressIndex } from "../table/address_index.ts";
import { planOfView } from "../table/plan_for_test.ts";
import { HeldParts } from "./held_parts.ts";
import { HeldPlan } from "./held_plan.ts";
import { MeshParts } from "./mesh.ts";
import { accessQuestion, addressQuestion, hostQuestion, type PlanQuestion } from "./messages.ts";

const NAMESPACES = ["app", "client", "other"];

/** A proxy's side: what it asks, and what it holds. */
class Client {
  readonly held = new HeldParts();
  readonly loop = new HeldPlan();
  plan: Plan | null = null;
  readonly wanted = new Set<PlanQuestion>();
  readonly answered = new Set<PlanQuestion>();
  source: ReferenceSource | null = null;

  connect(mesh: MeshParts, random: Random): void {
    this.source?.lose();
    const forgotten = this.held.retain(this.wanted);
    if (forgotten !== null) this.#apply(forgotten);
    this.source = new ReferenceSource(mesh, random, (update) => {
      this.#apply(this.held.take(update).change);
      this.check();
    });
    this.source.send({ ask: [...this.wanted], drop: [], held: this.held.hashes });
  }

  ask(question: PlanQuestion): void {
    if (this.wanted.has(question)) return;
    this.wanted.add(question);
    this.source?.send({ ask: [question], drop: [] });
  }

  drop(question: PlanQuestion): void {
    if (this.wanted.delete(question)) this.source?.send({ ask: [], drop: [question] });
  }

  #apply(change: Parameters<HeldPlan["take"]>[0]): void {
    this.plan = planOfView(this.loop.take(change).plan);
    for (const [question] of change.answered) this.answered.add(question);
    for (const question of change.forgotten) this.answered.delete(question);
  }

  check(): void {
    deepEqual(this.plan, this.held.plan);
    equal(this.plan?.hash, this.plan === null ? undefined : hashPlan(this.plan));
    deepEqual([...this.answered].sort(), [...this.held.answers.keys()].sort());
    const needed = new Set<PartKey>([...this.held.answers.values()].flat());
    for (const key of needed) {
      const part = this.held.parts.get(key)?.part;
      if (part === undefined || this.plan === null) continue;
      for (const other of neededBy(part, this.plan)) needed.add(other);
    }
    deepEqual([...this.held.parts.keys()].filter((key) => !needed.has(key)), []);
  }
}

/** What a host means by a plan. */
function meaning(plan: Plan, namespace: string, host: string): unknown {
  const placed = plan.services.map((service) => ({ plan: service }));
  const hosts = new HostIndex(placed, namespace, plan);
  const match = new HostMatch<{ readonly plan: PlanService }>();
  const bytes = new TextEncoder().encode(host);
  hosts.find(bytes, 0, bytes.length, match);
  const service = match.service?.plan;
  const groups = service?.ports.map(({ port }) =>
    plan.groups[`${service.namespace}/${service.name}:${port}`] ?? []
  );
  return { service, groups, pod: match.pod, alias: match.alias };
}

function meaningOfAddress(plan: Plan, address: string): unknown {
  const found = new AddressIndex(plan).find(address, 80);
  if (found === null || found.kind === "service") return found;
  const { listed, headless } = found;
  return { listed, headless };
}

/** Names and addresses that may mean something in any of the plans, and some that never do. */
function questionsOf(plans: readonly Plan[]): PlanQuestion[] {
  const questions = new Set<PlanQuestion>([hostQuestion("client", "nothing.here")]);
  for (const { services, aliases = [], groups, targets } of plans) {
    const named = [...services, ...aliases];
    for (const { namespace, name } of named) {
      for (const host of [name, `${name}.${namespace}`, `${name}.${namespace}.svc.cluster.local`]) {
        for (const client of NAMESPACES) questions.add(hostQuestion(client, host.toLowerCase()));
      }
    }
    for (const { namespace, name, podHosts, clusterIps } of services) {
      for (const pod of podHosts) {
        for (const host of [`${pod}.${name}`, `${pod}.${name}.${namespace}.svc`]) {
          questions.add(hostQuestion(namespace, host.toLowerCase()));
        }
      }
      for (const ip of clusterIps) questions.add(addressQuestion(ip)).add(hostQuestion("app", ip));
    }
    for (const { address } of Object.values(groups).flat()) {
      if (address !== "") questions.add(addressQuestion(address));
    }
    for (const { destination } of targets) questions.add(accessQuestion(destination));
  }
  return [...questions];
}

const anyPlan = fc.tuple(anySnapshot, fc.boolean()).map(([snapshot, permissive]) =>
  compile(snapshot, { permissive }).plan
);

Deno.test("source: whatever happens on the way, a proxy decides as with the whole mesh about all it asked", () => {
  fc.assert(
    fc.property(fc.array(anyPlan, { minLength: 1, maxLength: 4 }), fc.nat(), (plans, seed) => {
      const random = new Random(seed, "source");
      const mesh = new MeshParts(planHeaderOf(plans[0]));
      mesh.set(plans[0]);
      const client = new Client();
      client.connect(mesh, random);
      const questions = questionsOf(plans);
      let current = 0;
      for (let step = 0; step < 150; step++) {
        const question = questions[random.below(questions.length)];
        const choice = random.below(40);
        if (choice < 10) client.ask(question);
        else if (choice < 14) client.drop(question);
        else if (choice === 14) client.connect(mesh, random);
        else if (choice === 15 && current + 1 < plans.length) {
          mesh.set(plans[current + 1]);
          current++;
        } else client.source?.step();
      }
      client.source?.settle();
      client.check();
      deepEqual([...client.answered].sort(), [...client.wanted].sort());
      const { plan } = client;
      if (plan === null) throw new Error("Nothing has come");
      for (const question of client.wanted) {
        const [kind, subject, host = ""] = question.split(" ");
        if (kind === "host") {
          deepEqual(meaning(plan, subject, host), meaning(plans[current], subject, host), question);
        } else if (kind === "address") {
          deepEqual(meaningOfAddress(plan, subject), meaningOfAddress(plans[current], subject));
        }
      }
      if (plan.permissive) return;
      for (const { identity } of Object.values(plan.groups).flat()) {
        const targetsOf = ({ targets }: Plan) =>
          targets.filter(({ destination }) => destination === identity);
        deepEqual(targetsOf(plan), targetsOf(plans[current]));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("source: an update that names what it does not bring is refused, and nothing has changed", () => {
  const held = new HeldParts();
  const header = { version: 2, clusterDomain: "cluster.local", permissive: true } as const;
  throws(() => held.take({ answers: [], parts: [] }), /which mesh/);
  held.take({ header, answers: [], parts: [] });
  const before = held.plan;
  const question = hostQuestion("app", "web");
  const update = { answers: [[question, ["route app/web"]]], parts: [] } as const;
  throws(() => held.take(update), /"route app\/web"/);
  deepEqual(held.plan, before);
  equal(held.answers.size, 0);
});

Deno.test("source: what was taken can be taken back", () => {
  fc.assert(
    fc.property(anyPlan, anyPlan, fc.nat(), (first, second, seed) => {
      const random = new Random(seed, "undo");
      const mesh = new MeshParts(planHeaderOf(first));
      mesh.set(first);
      const held = new HeldParts();
      const session = mesh.open(() => {});
      const questions = questionsOf([first, second]).filter(() => random.below(3) === 0);
      const half = questions.splice(0, questions.length / 2);
      session.take({ ask: half, drop: [], held: {} });
      const update = session.next();
      if (update !== null) held.take(update);
      const before = { plan: held.plan, answers: new Map(held.answers) };
      mesh.set(second);
      session.take({ ask: questions, drop: half.slice(0, 3) });
      const next = session.next();
      if (next === null) return;
      held.take(next).undo();
      deepEqual({ plan: held.plan, answers: new Map(held.answers) }, before);
      const { change } = held.take(next);
      equal(change.hash, held.plan === null ? "" : hashPlan(held.plan));
    }),
    { numRuns: 200 },
  );
});
