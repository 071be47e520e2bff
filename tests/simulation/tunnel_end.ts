/** One end of a tunnel: it sends its bytes, checks those of the other end, and half-closes. */
import { bodyOf, TUNNEL_BACK, TUNNEL_OUT, wrongByte } from "./exchange.ts";
import type { ScriptedExchange } from "./exchange.ts";
import type { Http2Peer } from "./http2_peer.ts";
import type { PeerStream } from "./http2_stream.ts";
import type { Side } from "./network.ts";
import { failRun } from "./run_state.ts";
import type { RunState } from "./run_state.ts";
import type { ScriptedSender } from "./sender.ts";

/** What carries one end of a tunnel. */
interface TunnelWire {
  send(bytes: Uint8Array, then: () => void): void;
  /** Says that nothing more is sent. */
  end(): void;
  /** Both ends have said so. */
  close(): void;
}

export function socketWire(side: Side, sender: ScriptedSender): TunnelWire {
  return {
    send: (bytes, then) => sender.push(bytes, then),
    end: () => side.sendEnd(),
    close: () => side.close(),
  };
}

export function streamWire(peer: Http2Peer, stream: PeerStream): TunnelWire {
  return {
    send: (bytes, then) => peer.body(stream, bytes, [], true, then),
    end: () => peer.body(stream, new Uint8Array()),
    close() {
      if (!stream.hasSentEnd) peer.body(stream, new Uint8Array());
    },
  };
}

export class ScriptedTunnelEnd {
  /** Called when everything was sent and received, and both ends have said so. */
  onWhole: () => void = () => {};
  readonly #state: RunState;
  readonly #exchange: ScriptedExchange;
  readonly #wire: TunnelWire;
  readonly #receives: number;
  readonly #expected: number;
  #received = 0;
  #hasEnded = false;
  #hasSentAll = false;

  constructor(
    state: RunState,
    exchange: ScriptedExchange,
    wire: TunnelWire,
    isClient: boolean,
  ) {
    this.#state = state;
    this.#exchange = exchange;
    this.#wire = wire;
    this.#receives = isClient ? TUNNEL_BACK : TUNNEL_OUT;
    const [out, back] = exchange.tunnelBytes;
    this.#expected = isClient ? back : out;
    const sends = isClient ? TUNNEL_OUT : TUNNEL_BACK;
    wire.send(bodyOf(exchange.token, sends, isClient ? out : back), () => {
      this.#hasSentAll = true;
      // The client's end first, the endpoint's end first, or neither waits for the other.
      const order = exchange.token % 3;
      if (order === 2 || isClient === (order === 0)) wire.end();
      this.#finish();
    });
  }

  take(bytes: Uint8Array): void {
    const { token } = this.#exchange;
    const wrong = wrongByte(token, this.#receives, this.#received, bytes);
    if (wrong >= 0) failRun(this.#state, `Byte ${wrong} in tunnel ${token} is wrong`);
    this.#received += bytes.length;
    if (this.#received > this.#expected) failRun(this.#state, `Too much in tunnel ${token}`);
  }

  /** The other end has ended, in order. */
  end(): void {
    const { token, isAborted, outcome } = this.#exchange;
    // Either the client gave up, or it never saw the tunnel open and has sent nothing.
    const mayBeShort = isAborted || (outcome === null && this.#received === 0);
    if (this.#received !== this.#expected && !mayBeShort) {
      failRun(
        this.#state,
        `Tunnel ${token} ended after ${this.#received} of ${this.#expected} bytes`,
      );
    }
    this.#hasEnded = true;
    this.#finish();
  }

  #finish(): void {
    if (!this.#hasEnded || !this.#hasSentAll) return;
    this.#wire.close();
    this.onWhole();
  }
}
