/** What became of the soak's exchanges, by kind of traffic. */

export const TRAFFIC_KINDS = ["http1", "tls", "http2", "grpc", "websocket", "tcp"] as const;
export type TrafficKind = typeof TRAFFIC_KINDS[number];

/** Nothing but `wrong` is a defect: endpoints die all the time. */
export interface Tally {
  /** In full and right: an answer, a call, a conversation, a connection's bytes. */
  answered: number;
  /** By the proxy itself. */
  refused: number;
  /** The connection or stream ended before its time. */
  cut: number;
  /** By the client. */
  abandoned: number;
  bytes: number;
  readonly wrong: string[];
}

/** An exchange that is neither answered nor cut off by then is a defect. */
export const EXCHANGE_MS_MAX = 60_000;

export function emptyTally(): Tally {
  return { answered: 0, refused: 0, cut: 0, abandoned: 0, bytes: 0, wrong: [] };
}

/** An endpoint that can die and come back where it was. */
export interface Endpoint {
  readonly port: number;
  /** Stops listening and drops every connection, whatever it is about. */
  die(): void | Promise<void>;
  comeBack(): void | Promise<void>;
}

/** Mostly small; one in thirty takes several buffers. */
export function bodyBytes(below: (bound: number) => number): number {
  return below(below(30) === 0 ? 200_000 : 3_000);
}
