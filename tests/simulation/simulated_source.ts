/**
 * SimulatedSource: the source of a run's plans, as the engine's side sees it: slow, and in bad weather away, late, and in another order. It
 * is asked what the engine asks, forgets what the engine drops, and connects again where it was lost.
 */
import { Random } from "../../base/random.ts";
import type { Engine } from "../../proxy/run/engine.ts";
import { planHeaderOf } from "../../routing/parts.ts";
import type { Plan } from "../../routing/plan.ts";
import { HeldParts, type PlanChange } from "../../routing/source/held_parts.ts";
import { MeshParts } from "../../routing/source/mesh.ts";
import type { PlanQuestion, SourceUpdate } from "../../routing/source/messages.ts";
import { ReferenceSource } from "../support/reference_source.ts";
import type { World } from "./world.ts";

/** In good weather, well within the time that requests wait. */
const CALM_MS = 300;
const STEP_MS = 200;
const AWAY_MS = 1_500;

export class SimulatedSource {
  readonly #world: World;
  readonly #random: Random;
  #isCalm: boolean;
  readonly #held = new HeldParts();
  readonly #wanted = new Set<PlanQuestion>();
  readonly #mesh: MeshParts;
  #engine: Engine | null = null;
  /** Null: it is away. */
  #connection: ReferenceSource | null = null;
  #isStepDue = false;
  /** Told of every plan that is in force, as far as it is held. */
  readonly #onHeld: (plan: Plan) => void;

  constructor(world: World, plan: Plan, isCalm: boolean, onHeld: (plan: Plan) => void) {
    this.#world = world;
    this.#random = new Random(world.between(0, 1_000_000), "source");
    this.#isCalm = isCalm;
    this.#onHeld = onHeld;
    this.#mesh = new MeshParts(planHeaderOf(plan));
    this.set(plan);
  }

  /** What the engine begins with: nothing but what holds for all of the mesh. */
  begin(): PlanChange {
    const first = { header: this.#mesh.header, answers: [], parts: [] };
    return this.#held.take(first).change;
  }

  serve(engine: Engine): void {
    this.#engine = engine;
    this.#connect();
  }

  /** This is what the mesh is now. */
  set(plan: Plan): void {
    this.#mesh.set(plan);
    this.#stepSoon();
  }

  ask(question: PlanQuestion): void {
    if (this.#wanted.has(question)) return;
    this.#wanted.add(question);
    this.#connection?.send({ ask: [question], drop: [] });
    this.#stepSoon();
  }

  /** Nothing goes wrong any more. */
  calm(): void {
    this.#isCalm = true;
    if (this.#connection === null) this.#connect();
    this.#stepSoon();
  }

  /** All that there is to tell is told. */
  settle(): void {
    this.#connection?.settle();
  }

  #connect(): void {
    const forgotten = this.#held.retain(this.#wanted);
    if (forgotten !== null) this.#update(forgotten);
    this.#connection = new ReferenceSource(
      this.#mesh,
      this.#random,
      (update) => this.#take(update),
    );
    this.#connection.send({ ask: [...this.#wanted], drop: [], held: this.#held.hashes });
    this.#engine?.sourceIsAway(false);
    this.#stepSoon();
  }

  #lose(): void {
    this.#connection?.lose();
    this.#connection = null;
    this.#engine?.sourceIsAway(true);
    this.#world.after(this.#world.between(0, AWAY_MS), () => {
      if (this.#connection === null) this.#connect();
    });
  }

  #stepSoon(): void {
    if (this.#isStepDue || this.#connection === null) return;
    this.#isStepDue = true;
    const ms = this.#world.between(0, this.#isCalm ? CALM_MS : STEP_MS);
    this.#world.after(ms, () => {
      this.#isStepDue = false;
      this.#step();
    });
  }

  #step(): void {
    if (this.#connection === null) return;
    if (this.#isCalm) return this.#connection.settle();
    if (this.#world.chance(0.05)) return this.#lose();
    if (this.#world.chance(0.05)) this.#drop();
    this.#connection.step();
    if (!this.#connection.isIdle) this.#stepSoon();
  }

  /** As if something had not been used for long. */
  #drop(): void {
    const question = [...this.#wanted][this.#random.below(Math.max(1, this.#wanted.size))];
    if (question === undefined || !this.#held.answers.has(question)) return;
    this.#wanted.delete(question);
    this.#connection?.send({ ask: [], drop: [question] });
  }

  #take(update: SourceUpdate): void {
    this.#update(this.#held.take(update).change);
  }

  #update(change: PlanChange): void {
    this.#engine?.update(change);
    const { plan } = this.#held;
    if (plan !== null) this.#onHeld(plan);
  }
}
