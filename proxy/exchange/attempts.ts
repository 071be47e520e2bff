/** Attempts: how the attempts of an exchange, or of a relayed connection, at its destination go. Reused by its owner. */
import type { TableEndpoint } from "../../routing/table/table.ts";
import type { AttemptFailure } from "../balance/retry_policy.ts";
import type { Routed, RouteFacts } from "../observe/telemetry.ts";
import type { Choice } from "../policy/backend_state.ts";
import type { EndpointPool } from "../pool/pool.ts";
import { type Destination, UNDECIDED } from "../route/destination.ts";

export class Attempts implements Routed {
  destination: Destination = UNDECIDED;
  /** What balancing knows of the endpoint chosen last. */
  #choice: Choice | null = null;
  endpoint: TableEndpoint | null = null;
  /** When the attempt under way began. */
  #startedMs = 0;
  /** It counts among the requests that the chosen endpoint has under way. */
  #isUnderWay = false;

  /** Nothing has been tried yet. */
  begin(destination: Destination): void {
    this.destination = destination;
    this.#choice = null;
    this.endpoint = destination.endpoint;
  }

  get facts(): RouteFacts {
    return this.destination.facts;
  }

  get place(): string {
    return this.endpoint?.key ?? this.destination.pool?.key ?? "";
  }

  /** The next endpoint to try; null: there is none with an address. */
  next(nowMs: number): EndpointPool | null {
    const { pool, backend, endpoints, hash } = this.destination;
    if (pool !== null) return pool;
    if (backend === null || endpoints === null) return null;
    const choice = backend.pick(endpoints, hash, this.#choice, nowMs);
    this.#choice = choice;
    if (choice === null) return null;
    this.endpoint = choice.target.endpoint;
    return choice.target.pool;
  }

  /** Why `next` gave nothing. */
  get emptyReason(): string {
    return this.destination.backend?.emptyReason ?? "no-address";
  }

  /** The endpoint chosen last is not to blame that there was no room: it is not passed over. */
  forgetChoice(): void {
    this.#choice = null;
  }

  // What balancing has to know of each attempt at the chosen endpoint.

  start(nowMs: number): void {
    if (this.#choice === null) return;
    this.#choice.active++;
    this.#startedMs = nowMs;
    this.#isUnderWay = true;
  }

  /** Safe to call twice. */
  end(): void {
    if (!this.#isUnderWay) return;
    this.#isUnderWay = false;
    if (this.#choice !== null) this.#choice.active--;
  }

  /** A tunnel has opened: it is under way at the endpoint until the function that is returned is called. */
  handOver(): () => void {
    const choice = this.#choice;
    if (!this.#isUnderWay || choice === null) return () => {};
    this.#isUnderWay = false;
    return () => {
      choice.active--;
    };
  }

  /** The attempt has failed without an answer, and the endpoint is to blame. */
  fail(failure: AttemptFailure, nowMs: number): void {
    if (this.#isUnderWay && this.#choice !== null) {
      this.destination.backend?.failed(this.#choice, failure, nowMs);
    }
    this.end();
  }

  /** The endpoint answers. `outcome` is a status of HTTP; 0: what it comes to is told later, to `judge`. */
  answered(outcome: number, nowMs: number): void {
    if (this.#choice === null) return;
    const { backend } = this.destination;
    backend?.answered(this.#choice, outcome, nowMs - this.#startedMs, nowMs);
  }

  /** What an answer came to, whose head did not say it; 0: its end did not either. */
  judge(outcome: number, nowMs: number): void {
    if (this.#choice === null || outcome === 0) return;
    this.destination.backend?.judge(this.#choice, outcome, nowMs);
  }
}
