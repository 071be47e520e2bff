/**
 * The states of a stream (RFC 9113 5.1) as a table. There is no reserved state: push is refused. Nothing else decides
 * whether a frame may come or go on a stream.
 */
import { NO_ERROR, PROTOCOL_ERROR, STREAM_CLOSED } from "./error_code.ts";

export const IDLE = 0;
export const OPEN = 1;
/** This side has ended its message. */
export const HALF_CLOSED_LOCAL = 2;
/** The peer has ended its message. */
export const HALF_CLOSED_REMOTE = 3;
export const CLOSED = 4;

/** What happens to a stream. END comes after HEADERS or DATA with END_STREAM. */
export const RECEIVE_HEADERS = 0;
export const RECEIVE_DATA = 1;
export const RECEIVE_END = 2;
export const RECEIVE_RESET = 3;
export const RECEIVE_WINDOW = 4;
export const SEND_HEADERS = 5;
export const SEND_DATA = 6;
export const SEND_END = 7;

/** From this on, a result is no state but an error: its code, and how far it reaches. */
const ERROR_FLAG = 0x100;
const CONNECTION_FLAG = 0x200;

const STREAM_ENDED = ERROR_FLAG | STREAM_CLOSED;
const CONNECTION_ENDED = ERROR_FLAG | CONNECTION_FLAG | STREAM_CLOSED;
const NOT_STARTED = ERROR_FLAG | CONNECTION_FLAG | PROTOCOL_ERROR;
/** What this side may not do. */
const FORBIDDEN = ERROR_FLAG | NO_ERROR;

const LOCAL = HALF_CLOSED_LOCAL;
const REMOTE = HALF_CLOSED_REMOTE;

// deno-fmt-ignore
const TABLE: readonly (readonly number[])[] = [
  //                  IDLE         OPEN    LOCAL      REMOTE        CLOSED
  /* RECEIVE_HEADERS */ [OPEN,        OPEN,   LOCAL,     STREAM_ENDED, CONNECTION_ENDED],
  /* RECEIVE_DATA    */ [NOT_STARTED, OPEN,   LOCAL,     STREAM_ENDED, STREAM_ENDED],
  /* RECEIVE_END     */ [NOT_STARTED, REMOTE, CLOSED,    STREAM_ENDED, STREAM_ENDED],
  /* RECEIVE_RESET   */ [NOT_STARTED, CLOSED, CLOSED,    CLOSED,       CLOSED],
  /* RECEIVE_WINDOW  */ [NOT_STARTED, OPEN,   LOCAL,     REMOTE,       CLOSED],
  /* SEND_HEADERS    */ [OPEN,        OPEN,   FORBIDDEN, REMOTE,       FORBIDDEN],
  /* SEND_DATA       */ [FORBIDDEN,   OPEN,   FORBIDDEN, REMOTE,       FORBIDDEN],
  /* SEND_END        */ [FORBIDDEN,   LOCAL,  FORBIDDEN, CLOSED,       FORBIDDEN],
];

/** The state after `event`, or an error (`isError`). */
export function nextState(state: number, event: number): number {
  return TABLE[event][state];
}

export function isError(result: number): boolean {
  return (result & ERROR_FLAG) !== 0;
}

export function isConnectionError(result: number): boolean {
  return (result & CONNECTION_FLAG) !== 0;
}

export function errorCodeOf(result: number): number {
  return result & 0xff;
}
