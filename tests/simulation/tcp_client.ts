/** Clients of the simulation whose connections the proxy passes on whole, to an endpoint that speaks first. */
import type { Abort, Actor } from "./client.ts";
import type { ScriptedExchange } from "./exchange.ts";
import type { Side } from "./network.ts";
import { BANNER } from "./origin.ts";
import { failRun, Listening } from "./run_state.ts";
import type { ReadPace, RunState } from "./run_state.ts";
import { ScriptedSender } from "./sender.ts";
import type { Pace } from "./sender.ts";
import { ScriptedTunnelEnd, socketWire } from "./tunnel_end.ts";

export interface TcpClientPlan {
  readonly exchange: ScriptedExchange;
  /** Address of the proxy's listener. */
  readonly proxy: string;
  readonly send: Pace;
  readonly receive: ReadPace;
  readonly abort: Abort | null;
  readonly abortAtSent: number;
}

export class TcpClient implements Actor {
  isDone = false;
  readonly #state: RunState;
  readonly #plan: TcpClientPlan;
  #banner = "";

  constructor(state: RunState, plan: TcpClientPlan) {
    this.#state = state;
    this.#plan = plan;
  }

  describe(): string {
    return `a client of TCP, exchange ${this.#plan.exchange.token}`;
  }

  dial(): void {
    const { exchange, proxy, send, receive, abortAtSent } = this.#plan;
    const { world } = this.#state;
    const side = this.#state.dial(false, proxy, "http1");
    const sender = new ScriptedSender(world, side, send);
    sender.stopAt = abortAtSent;
    sender.onStop = () => this.#abort(side, sender);
    exchange.sendings++;
    // There is no handshake: it is open as soon as it is connected.
    exchange.outcome = { status: 200, reason: "", isWhole: false };
    const wire = socketWire(side, sender);
    // The endpoint cannot know which one it is unless it is told.
    sender.push(new TextEncoder().encode(`${exchange.token}\n`));
    const tunnel = new ScriptedTunnelEnd(this.#state, exchange, wire, true);
    tunnel.onWhole = () => {
      if (exchange.outcome !== null) exchange.outcome.isWhole = true;
      this.isDone = true;
    };
    const listening = new Listening(
      this.#state,
      side,
      receive,
      (bytes) => this.#take(bytes, tunnel),
      () => this.#ended(side, tunnel),
      () => this.#lost(),
    );
    side.onChange = () => {
      if (!side.isEstablished && !side.isReset) return;
      listening.pump();
      sender.pump();
    };
  }

  #take(bytes: Uint8Array, tunnel: ScriptedTunnelEnd): void {
    let from = 0;
    while (this.#banner.length < BANNER.length && from < bytes.length) {
      this.#banner += String.fromCharCode(bytes[from++]);
    }
    if (!BANNER.startsWith(this.#banner)) failRun(this.#state, `A banner "${this.#banner}"`);
    if (from < bytes.length) tunnel.take(bytes.subarray(from));
  }

  /** The proxy has ended the stream in order: so did the endpoint, or it was never asked. */
  #ended(side: Side, tunnel: ScriptedTunnelEnd): void {
    if (this.#plan.exchange.arrivals === 0 || this.#plan.exchange.isAborted) {
      side.close();
      return this.#lost();
    }
    tunnel.end();
  }

  #lost(): void {
    if (this.isDone) return;
    this.isDone = true;
    const { isCalm, drainingMs, policies, world } = this.#state;
    // A policy that refuses a connection has no other way to say so.
    if (!isCalm || world.nowMs >= drainingMs || policies.reasons.size > 0) return;
    failRun(this.#state, `Connection ${this.#plan.exchange.token} was cut`);
  }

  #abort(side: Side, sender: ScriptedSender): void {
    sender.isMute = true;
    this.#plan.exchange.isAborted = true;
    this.isDone = true;
    switch (this.#plan.abort) {
      case "reset":
        return side.reset();
      case "close":
        return side.close();
      case "end":
        return side.sendEnd();
      case "stall":
      case null:
        return;
    }
  }
}
