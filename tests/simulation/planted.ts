/**
 * Bugs on purpose: drivers and parts of the data plane that break a promise. A simulation that lets one of them
 * pass would let a real one pass, too.
 */
import { BufferPool } from "../../proxy/loop/arena.ts";
import { Attempts } from "../../proxy/exchange/attempts.ts";
import { Exchange } from "../../proxy/exchange/exchange.ts";
import { Loop } from "../../proxy/loop/loop.ts";
import { Socket } from "../../proxy/loop/socket.ts";
import { Http2Upstream } from "../../proxy/http2/upstream.ts";
import { Http2Socket } from "../../proxy/http2/socket.ts";
import { Http2Stream } from "../../proxy/http2/stream.ts";
import { ConnectionBudget } from "../../proxy/balance/connection_budget.ts";
import { RetryBudget } from "../../proxy/balance/retry_budget.ts";
import { RetryPolicy } from "../../proxy/balance/retry_policy.ts";
import { BackendLimits } from "../../proxy/policy/backend_limits.ts";
import { BackendState } from "../../proxy/policy/backend_state.ts";
import { MirroredRequest } from "../../proxy/exchange/mirror.ts";
import { PolicyRun } from "../../proxy/policy/policy_run.ts";
import { SplitState } from "../../routing/table/split.ts";
import { AGAIN, BROKEN, END } from "../../proxy/io/io.ts";
import type { Fd } from "../../proxy/io/io.ts";
import { RelayDownstream } from "../../proxy/relay/downstream.ts";
import { PLAIN, Pools } from "../../proxy/pool/pools.ts";
import { EndpointPool } from "../../proxy/pool/pool.ts";
import { ReceiveWindow, SendWindow } from "../../proxy/protocol/http2/flow.ts";
import { Http2Connection } from "../../proxy/protocol/http2/connection.ts";
import { Response } from "../../proxy/protocol/http1/response.ts";
import type { FieldList } from "../../proxy/protocol/http2/hpack/field_list.ts";
import { NAME_STATUS } from "../../proxy/protocol/http2/hpack/names.ts";
import { Request } from "../../proxy/protocol/http1/request.ts";
import { Encoder } from "../../proxy/protocol/http2/hpack/encoder.ts";
import type { Side } from "./network.ts";
import { runSimulation } from "./simulation.ts";
import type { RunOptions } from "./simulation.ts";
import { SimulatedIo } from "./simulated_io.ts";

export interface PlantedBug {
  readonly name: string;
  /** How the simulation must put it. */
  readonly complaint: RegExp;
  /** Runs one seed with the bug in place. */
  run(seed: number): void;
}

/** Now and then the bytes of one connection are read from another. */
class SwappingIo extends SimulatedIo {
  readonly #seen = new Map<Fd, Side>();

  protected override receive(
    fd: Fd,
    side: Side,
    target: Uint8Array,
    offset: number,
    max: number,
  ): number {
    this.#seen.set(fd, side);
    const others = Array.from(this.#seen.values()).filter((other) =>
      other !== side && other.unread > 0 && !other.isClosed
    );
    const from = others.length > 0 && this.world.chance(0.05) ? this.world.pick(others) : side;
    return super.receive(fd, from, target, offset, max);
  }
}

/** Now and then the last byte of a write is said to be sent and is not. */
class LosingIo extends SimulatedIo {
  protected override transmit(fd: Fd, side: Side, bytes: Uint8Array): void {
    const count = bytes.length > 1 && this.world.chance(0.05) ? bytes.length - 1 : bytes.length;
    super.transmit(fd, side, bytes.subarray(0, count));
  }
}

/** Now and then a write goes out twice. */
class RepeatingIo extends SimulatedIo {
  protected override transmit(fd: Fd, side: Side, bytes: Uint8Array): void {
    super.transmit(fd, side, bytes);
    if (side.room >= bytes.length && this.world.chance(0.05)) super.transmit(fd, side, bytes);
  }
}

/** Never says that a socket has room again. */
class ForgetfulIo extends SimulatedIo {
  override wantWrite(fd: Fd, _wanted: boolean): void {
    super.wantWrite(fd, false);
  }
}

/** Takes the end of a stream for meant that was not announced. */
class TrustingIo extends SimulatedIo {
  override read(fd: Fd, offset: number, length: number): number {
    const count = super.read(fd, offset, length);
    return count === BROKEN ? END : count;
  }
}

/** Sees nothing of what came where it has not been told of it. */
class UnseeingIo extends SimulatedIo {
  override peek(): number {
    return AGAIN;
  }
}

/** Takes everything for unread. */
class UnreadIo extends SimulatedIo {
  override unacknowledged(): number {
    return Infinity;
  }
}

/** Delivers no events before others. */
class LastIo extends SimulatedIo {
  override comesFirst(): void {}
}

/** Ends connections in order where it should reset them. */
class PoliteIo extends SimulatedIo {
  override reset(fd: Fd): void {
    this.close(fd);
  }
}

function driver(
  name: string,
  complaint: RegExp,
  Driver: typeof SimulatedIo,
  options: Partial<RunOptions> = {},
): PlantedBug {
  return {
    name,
    complaint,
    run: (seed) =>
      void runSimulation(seed, {
        ...options,
        makeIo: (world, network, arena) => new Driver(world, network, arena),
      }),
  };
}

/** A method of the data plane, replaced for as long as a run takes. */
export function method<Key extends string>(
  name: string,
  complaint: RegExp,
  prototype: Record<Key, unknown>,
  key: Key,
  replacement: (original: (...args: never[]) => unknown) => unknown,
  options: Partial<RunOptions> = {},
): PlantedBug {
  return {
    name,
    complaint,
    run(seed) {
      const original = prototype[key];
      prototype[key] = replacement(original as (...args: never[]) => unknown);
      try {
        runSimulation(seed, options);
      } finally {
        prototype[key] = original;
      }
    },
  };
}

/** A getter of the data plane, replaced for as long as a run takes. */
function getter(
  name: string,
  complaint: RegExp,
  prototype: object,
  key: string,
  get: () => unknown,
): PlantedBug {
  return {
    name,
    complaint,
    run(seed) {
      const original = Object.getOwnPropertyDescriptor(prototype, key);
      if (original === undefined) throw new Error(`There is no ${key}`);
      Object.defineProperty(prototype, key, { ...original, get });
      try {
        runSimulation(seed);
      } finally {
        Object.defineProperty(prototype, key, original);
      }
    },
  };
}

const HTTP2_BUGS: readonly PlantedBug[] = [
  method(
    "data is sent whatever the peer's window",
    /past the (connection's )?window/,
    SendWindow.prototype,
    "spend",
    () => () => {},
  ),
  method(
    "window that was used is not given back",
    /Only \d+ bytes are left|It hangs|refused|reset with|under way|not answered|was cut/,
    ReceiveWindow.prototype,
    "release",
    () => () => {},
  ),
  method(
    "the peer's table of headers is thought larger than it is",
    /table is too large|No entry|A table of/,
    Encoder.prototype,
    "limitTable",
    () => () => {},
  ),
  method(
    "a stream has another stream's owner",
    /./,
    Http2Connection.prototype,
    "ownerOf",
    (original) =>
      function (this: Http2Connection, streamId: number): unknown {
        const before = original.call(this as never, streamId - 2 as never);
        return before ?? original.call(this as never, streamId as never);
      },
  ),
  method(
    "a stream that has ended is not forgotten",
    /has no deadline|still registered|It hangs|connections are open|Nothing will ever happen|under way/,
    Http2Socket.prototype,
    "forget",
    () => () => {},
  ),
  method(
    "the end of a body is lost",
    /./,
    Http2Connection.prototype,
    "sendData",
    (original) =>
      function (this: Http2Connection, ...[id, offset, length, isEnd, nowMs]: never[]): unknown {
        return original.call(
          this as never,
          id,
          offset,
          length,
          (isEnd && id % 4 === 1) as never,
          nowMs,
        );
      },
  ),
  method(
    "the head of an answer without a body does not end it",
    /has no body, and does not end with its head/,
    Http2Connection.prototype,
    "sendHead",
    (original) =>
      function (this: Http2Connection, id: number, fields: FieldList, isEnd: boolean): unknown {
        const isAnswer = fields.names[0] === NAME_STATUS;
        const isPutOff = isAnswer && isEnd;
        const result = original.call(this, ...[id, fields, isEnd && !isPutOff] as never[]);
        if (isPutOff && result === 0) this.sendData(id, 0, 0, true, 0);
        return result;
      },
  ),
  method(
    "a reset by the peer is not told to the exchange",
    /has no deadline|still registered|It hangs|connections are open|refused|buffers/,
    Http2Stream.prototype as unknown as Record<"leave", unknown>,
    "leave",
    (original) =>
      function (this: Http2Stream, code: number): void {
        if (code !== 8 || this.streamId % 4 === 1) original.call(this as never, code as never);
      },
  ),
];

/** A method of a budget, without limits. */
function unlimited(original: (...args: never[]) => unknown) {
  return function (this: ConnectionBudget): unknown {
    const { limits } = this;
    this.limit({ maxConnections: null, maxPending: Infinity, maxRequests: null });
    const result = original.call(this as never);
    this.limit(limits);
    return result;
  };
}

const TCP_BUGS: readonly PlantedBug[] = [
  method(
    "a byte of a relayed connection is lost",
    /in tunnel|Tunnel .* ended|[Uu]nasked|was cut/,
    RelayDownstream.prototype,
    "fill",
    (original) =>
      function (this: RelayDownstream): number {
        const count = original.call(this as never) as number;
        if (count < 2) return count;
        this.end--;
        return count - 1;
      },
  ),
];

const TLS_BUGS: readonly PlantedBug[] = [
  method(
    "connections to endpoints are not secured",
    /Plain bytes on a connection/,
    EndpointPool.prototype,
    "secure",
    () => () => {},
  ),
  driver(
    "a stream that was cut off ends in order",
    /ended in order after|Tunnel .* ended after/,
    TrustingIo,
    { isSecure: true },
  ),
];

const POLICY_BUGS: readonly PlantedBug[] = [
  getter(
    "every request may be sent again",
    /was sent again|retries for/,
    Request.prototype,
    "isIdempotent",
    () => true,
  ),
  method(
    "a retry need not be paid for",
    /retries for|was sent \d+ times/,
    RetryBudget.prototype,
    "withdraw",
    () => () => true,
    { sections: ["retry"] },
  ),
  method(
    "an answer is retried whatever the method",
    /was sent again/,
    RetryPolicy.prototype,
    "allowsStatus",
    () => (status: number) => status >= 400,
  ),
  method(
    "a failure is retried whatever the method",
    /was sent again/,
    RetryPolicy.prototype,
    "allowsFailure",
    () => () => true,
  ),
  method(
    "connections over the limit are made",
    /connections to|connections are counted|under way|was not answered/,
    ConnectionBudget.prototype,
    "takeConnection",
    unlimited,
    { sections: ["connectionLimits"] },
  ),
  method(
    "requests over the limit are taken",
    /requests are under way/,
    ConnectionBudget.prototype,
    "takeRequest",
    unlimited,
    { sections: ["connectionLimits"] },
  ),
  method(
    "requests wait without bound",
    /requests wait for a connection/,
    ConnectionBudget.prototype,
    "takePending",
    unlimited,
    { sections: ["connectionLimits"] },
  ),
  method(
    "a connection that has ended is still counted",
    /are counted|It hangs|refused/,
    BackendLimits.prototype,
    "connectionEnded",
    () => () => {},
  ),
  method(
    "connections of a Service with limits are for all who have its endpoints",
    /One connection carries|connections carry|connections to/,
    Pools.prototype,
    "of",
    (original) =>
      function (this: Pools, ...parts: never[]): unknown {
        const [place, sort = PLAIN] = parts as unknown as Parameters<Pools["of"]>;
        return original.call(this as never, place as never, { ...sort, owner: null } as never);
      },
    { sections: ["connectionLimits"] },
  ),
  method(
    "connections of other Services are counted under the limits of one",
    /One connection carries|are counted for|connections carry/,
    Pools.prototype,
    "of",
    (original) => {
      const owners = new Map<string, typeof PLAIN.owner>();
      return function (this: Pools, ...parts: never[]): unknown {
        const [place, sort = PLAIN] = parts as unknown as Parameters<Pools["of"]>;
        if (sort.owner !== null) owners.set(place.key, sort.owner);
        const owner = owners.get(place.key) ?? null;
        return original.call(this as never, place as never, { ...sort, owner } as never);
      };
    },
    { sections: ["connectionLimits"] },
  ),
  method(
    "an endpoint's load is counted twice, and taken back once",
    /requests are counted at/,
    BackendState.prototype,
    "pick",
    (original) =>
      function (this: BackendState, ...parts: never[]): unknown {
        const choice = original.apply(this as never, parts) as { active: number } | null;
        if (choice !== null) choice.active++;
        return choice;
      },
  ),
  method(
    "a copy that has been answered does not end",
    /It spins|has no deadline|still registered|under way|copies are still|buffers/,
    MirroredRequest.prototype,
    "finish",
    () => () => {},
  ),
  method(
    "an exchange that is over leaves its timers and its places",
    /./,
    PolicyRun.prototype,
    "stop",
    () => () => {},
    { sections: ["connectionLimits"] },
  ),
  method(
    "a split gives all to its last backend",
    /Of \d+ requests by rule/,
    SplitState.prototype,
    "pick",
    () => ({ backends }: { backends: readonly unknown[] }) => backends[backends.length - 1],
  ),
];

const DEADLINE_BUGS: readonly PlantedBug[] = [
  method(
    "an exchange has no deadline",
    /has no deadline/,
    Exchange.prototype,
    "begin",
    (original) =>
      function (this: Exchange, request: never): void {
        original.call(this as never, request);
        this.client.deadlineMs = Infinity;
      },
  ),
  method(
    "a connection that is to be relayed has no deadline",
    /RelayDownstream has no deadline/,
    Exchange.prototype,
    "relay",
    (original) =>
      function (this: Exchange, authority: never): void {
        original.call(this as never, authority);
        if (!this.hasAnswer) this.client.deadlineMs = Infinity;
      },
  ),
  method(
    "an endpoint may take for ever to begin HTTP/2",
    /Http2Upstream has no deadline|It hangs|open and unused/,
    Http2Upstream.prototype as unknown as Record<"rest", unknown>,
    "rest",
    () => () => {},
  ),
];

/** Which connections and requests are used once more, and which are not. */
const REUSE_BUGS: readonly PlantedBug[] = [
  {
    name: "a connection whose endpoint broke HTTP/2 stays in its pool",
    complaint: /is still in its pool/,
    run: (seed) => whileBrokenOnesStay(() => void runSimulation(seed, { isMisled: true })),
  },
  driver(
    "a connection is used again unseen",
    /was refused: upstream-reset|A request on a connection that was of no more use/,
    UnseeingIo,
    { isBrisk: true },
  ),
  driver(
    "ends of idle connections are told too late",
    /was refused: upstream-reset|A request on a connection that was of no more use/,
    LastIo,
    { isBrisk: true },
  ),
  driver(
    "what an endpoint has got is sent again",
    /not idempotent, was sent again/,
    UnreadIo,
  ),
  method(
    "408 on a connection that was used before is passed on",
    /Answer {2}in place of/,
    Attempts.prototype,
    "mayRepeat",
    (original) =>
      function (this: Attempts, ...[failure, isIdempotent]: never[]): unknown {
        const isPassedOn = failure === "stale-unread";
        return !isPassedOn && original.call(this as never, failure, isIdempotent);
      },
  ),
  method(
    "how long an endpoint keeps its connections is not looked at",
    /A request on a connection that was of no more use/,
    Response.prototype,
    "keepAliveMs",
    () => () => Infinity,
    { isSparse: true },
  ),
  method(
    "every request that an endpoint resets is sent again",
    /was sent again although its endpoint had reset it/,
    Attempts.prototype,
    "mayRepeat",
    (original) =>
      function (this: Attempts, ...[failure, isIdempotent]: never[]): unknown {
        return original.call(this as never, failure, isIdempotent) ||
          (this.areLeft && isIdempotent);
      },
  ),
];

/** Runs with pools that keep what its endpoint has broken for as long as it is open. */
function whileBrokenOnesStay(run: () => void): void {
  const remove = EndpointPool.prototype.removeShared;
  const canCarry = Object.getOwnPropertyDescriptor(Http2Upstream.prototype, "canCarry");
  if (canCarry === undefined) throw new Error("There is no canCarry");
  EndpointPool.prototype.removeShared = function (this: EndpointPool, upstream): void {
    const isBroken = upstream instanceof Http2Upstream && upstream.machine.isClosed;
    if (!isBroken || !upstream.isOpen) remove.call(this, upstream);
  };
  Object.defineProperty(Http2Upstream.prototype, "canCarry", {
    ...canCarry,
    get(this: Http2Upstream): boolean {
      return this.isOpen && this.machine.isClosed
        ? this.streams.size < 3
        : canCarry.get?.call(this);
    },
  });
  try {
    run();
  } finally {
    EndpointPool.prototype.removeShared = remove;
    Object.defineProperty(Http2Upstream.prototype, "canCarry", canCarry);
  }
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...HTTP2_BUGS,
  ...POLICY_BUGS,
  ...TCP_BUGS,
  ...TLS_BUGS,
  ...DEADLINE_BUGS,
  ...REUSE_BUGS,
  driver("two reads are swapped", /./, SwappingIo),
  driver("a byte of a write is lost", /./, LosingIo),
  driver("a write is sent twice", /./, RepeatingIo),
  driver(
    "onWritable never comes",
    /was not answered|was refused|was cut|It hangs|GOAWAY with 4/,
    ForgetfulIo,
  ),
  driver(
    "a cut answer ends in order",
    /ended in order after|Tunnel .* ended after|was not reported/,
    PoliteIo,
  ),
  method(
    "a buffer is kept",
    /buffers were not given back|could be lent/,
    BufferPool.prototype,
    "give",
    () => () => {},
  ),
  method(
    "compacting moves bytes one too few",
    /./,
    Socket.prototype,
    "compact",
    (original) =>
      function (this: Socket): void {
        original.call(this as never);
        if (this.end > this.start) this.end--;
      },
  ),
  method(
    "a connection stays registered",
    /has no deadline|still registered|It hangs|Nothing will ever happen/,
    Loop.prototype,
    "unregister",
    () => () => {},
  ),
  method(
    "starved connections are woken for nothing",
    /It spins/,
    Loop.prototype,
    "endBatch",
    (original) =>
      function (this: Loop): void {
        this.buffers.givenCount++;
        original.call(this as never);
      },
  ),
];
