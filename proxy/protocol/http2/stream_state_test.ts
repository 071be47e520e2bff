import assert from "node:assert/strict";
import { NO_ERROR, PROTOCOL_ERROR, STREAM_CLOSED } from "./error_code.ts";
import {
  CLOSED,
  errorCodeOf,
  HALF_CLOSED_LOCAL,
  HALF_CLOSED_REMOTE,
  IDLE,
  isConnectionError,
  isError,
  nextState,
  OPEN,
  RECEIVE_DATA,
  RECEIVE_END,
  RECEIVE_HEADERS,
  RECEIVE_RESET,
  RECEIVE_WINDOW,
  SEND_DATA,
  SEND_END,
  SEND_HEADERS,
} from "./stream_state.ts";

const STATES = [IDLE, OPEN, HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, CLOSED];

Deno.test("A request and its answer go through the states of RFC 9113 5.1, from either side", () => {
  const walk = (...events: number[]) => events.reduce(nextState, IDLE);
  assert.equal(walk(RECEIVE_HEADERS), OPEN);
  assert.equal(walk(RECEIVE_HEADERS, RECEIVE_END), HALF_CLOSED_REMOTE);
  assert.equal(
    walk(RECEIVE_HEADERS, RECEIVE_DATA, RECEIVE_END, SEND_HEADERS, SEND_DATA, SEND_END),
    CLOSED,
  );
  assert.equal(walk(SEND_HEADERS, SEND_DATA, SEND_END), HALF_CLOSED_LOCAL);
  assert.equal(walk(SEND_HEADERS, SEND_END, RECEIVE_HEADERS, RECEIVE_DATA, RECEIVE_END), CLOSED);
  assert.equal(walk(SEND_HEADERS, RECEIVE_HEADERS, RECEIVE_END, SEND_DATA, SEND_END), CLOSED);
});

Deno.test("The end of one side never changes what the other may do", () => {
  for (const event of [RECEIVE_HEADERS, RECEIVE_DATA]) {
    assert.equal(nextState(HALF_CLOSED_LOCAL, event), HALF_CLOSED_LOCAL);
  }
  for (const event of [SEND_HEADERS, SEND_DATA]) {
    assert.equal(nextState(HALF_CLOSED_REMOTE, event), HALF_CLOSED_REMOTE);
  }
});

Deno.test("What may not come is an error of the stream or of the connection (RFC 9113 5.1)", () => {
  const isFatal = (state: number, event: number, code: number) => {
    const result = nextState(state, event);
    return isError(result) && isConnectionError(result) && errorCodeOf(result) === code;
  };
  for (const event of [RECEIVE_DATA, RECEIVE_RESET, RECEIVE_WINDOW]) {
    assert.ok(isFatal(IDLE, event, PROTOCOL_ERROR));
  }
  assert.ok(isFatal(CLOSED, RECEIVE_HEADERS, STREAM_CLOSED));
  for (const state of [HALF_CLOSED_REMOTE, CLOSED]) {
    const result = nextState(state, RECEIVE_DATA);
    assert.ok(isError(result) && !isConnectionError(result));
    assert.equal(errorCodeOf(result), STREAM_CLOSED);
  }
  const late = nextState(HALF_CLOSED_REMOTE, RECEIVE_HEADERS);
  assert.ok(isError(late) && !isConnectionError(late) && errorCodeOf(late) === STREAM_CLOSED);
});

Deno.test("A reset ends every stream that has begun, and a window means nothing to its state", () => {
  for (const state of STATES.slice(1)) {
    assert.equal(nextState(state, RECEIVE_RESET), CLOSED);
    assert.equal(nextState(state, RECEIVE_WINDOW), state);
  }
});

Deno.test("This side sends nothing after its end, nor before a head", () => {
  for (const state of [HALF_CLOSED_LOCAL, CLOSED]) {
    for (const event of [SEND_HEADERS, SEND_DATA, SEND_END]) {
      const result = nextState(state, event);
      assert.ok(isError(result) && errorCodeOf(result) === NO_ERROR);
    }
  }
  assert.ok(isError(nextState(IDLE, SEND_DATA)) && isError(nextState(IDLE, SEND_END)));
});
