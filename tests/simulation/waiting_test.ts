/** How long the engine waits, by the simulated clock: an hour between bytes where nothing is said, and to the millisecond where it is. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { encodeLiterals, type HeaderField, HpackDecoder } from "./hpack.ts";
import { FrameCutter, frames } from "./http2_frames.ts";
import type { Plan } from "../../routing/plan.ts";
import { type End, Scenario, withEndpoints, withPolicy } from "./scenario.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const GET = "GET /t HTTP/1.1\r\nHost: svc0.sim\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** The frames that have come to an end, and what it says itself. */
class Peer {
  readonly end: End;
  readonly #cutter = new FrameCutter();
  readonly #decoder = new HpackDecoder();
  #at: number;
  #seen: string[] = [];

  constructor(end: End, isClient: boolean) {
    this.end = end;
    this.#at = isClient ? 0 : frames.PREFACE.length;
    if (isClient) end.send(frames.PREFACE);
    end.send(frames.settings([]), frames.frame(frames.SETTINGS, frames.ACK, 0));
  }

  head(id: number, fields: readonly HeaderField[], isEnd: boolean): void {
    const flags = frames.END_HEADERS | (isEnd ? frames.END_STREAM : 0);
    this.end.send(frames.frame(frames.HEADERS, flags, id, encodeLiterals(fields)));
  }

  data(id: number, text: string): void {
    this.end.send(frames.frame(frames.DATA, 0, id, bytesOf(text)));
  }

  /** What has come on streams since the last time: heads as `name=value`, data as its text, a reset as its code. */
  take(): string[] {
    const bytes = bytesOf(this.end.text.slice(this.#at));
    this.#at = this.end.text.length;
    for (const frame of this.#cutter.cut(bytes)) {
      const end = (frame.flags & frames.END_STREAM) === 0 ? "" : " END";
      const { id } = frame;
      if (frame.type === frames.HEADERS) {
        const fields = this.#decoder.decode(frames.bodyOfFrame(frame) ?? new Uint8Array());
        this.#seen.push(`${id} ${fields.map((field) => field.join("=")).join(" ")}${end}`);
      } else if (frame.type === frames.DATA) {
        this.#seen.push(`${id} ${String.fromCharCode(...frame.payload)}${end}`);
      } else if (frame.type === frames.RST_STREAM) {
        this.#seen.push(`${id} RESET ${frames.readUint32(frame.payload, 0)}`);
      }
    }
    const seen = this.#seen;
    this.#seen = [];
    return seen;
  }
}

function callFields(timeout: string | null): HeaderField[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/t"],
    [":authority", "svc0.sim"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...(timeout === null ? [] : [["grpc-timeout", timeout] as const]),
  ];
}

const ANSWER: readonly HeaderField[] = [[":status", "200"], ["content-type", "application/grpc"]];
const TRAILERS: readonly HeaderField[] = [["grpc-status", "0"]];

interface Call {
  readonly scenario: Scenario;
  readonly client: Peer;
  /** The connection to the endpoint of this number. */
  endpoint(index?: number): Peer;
}

/** A call by gRPC that is under way at the endpoint. */
function startCall(
  timeout: string | null,
  { scenario = new Scenario("http2"), isEnd = false } = {},
): Call {
  const end = scenario.client();
  scenario.pass(1);
  const client = new Peer(end, true);
  client.head(1, callFields(timeout), isEnd);
  scenario.pass(1);
  const endpoints: Peer[] = [];
  const endpoint = (index = 0) => endpoints[index] ??= new Peer(scenario.endpoint[index], false);
  return { scenario, client, endpoint };
}

/** How long that call waits for anything: passes time, ten milliseconds at a time. */
function timeUntil(scenario: Scenario, limitMs: number, happens: () => boolean): number {
  const startMs = scenario.world.nowMs;
  while (!happens()) {
    ok(scenario.world.nowMs - startMs < limitMs, `Nothing in ${limitMs} ms`);
    scenario.pass(10);
  }
  return scenario.world.nowMs - startMs;
}

function grpcTimeoutIn(head: string): string {
  return /grpc-timeout=(\S+)/.exec(head)?.[1] ?? "";
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Milliseconds. */
function valueOf(timeout: string): number {
  const MS: Record<string, number> = { n: 1e-6, u: 1e-3, m: 1, S: 1e3, M: 6e4, H: 3.6e6 };
  const [, count, unit] = /^(\d{1,8})(.)$/.exec(timeout) ?? [];
  return Number(count) * MS[unit];
}

// What neither a caller nor a policy says.

Deno.test("a long poll of 50 minutes is answered", () => {
  const scenario = new Scenario("http1");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(50 * MINUTE_MS);
  equal(client.text, "");
  scenario.endpoint[0].send(OK);
  scenario.pass(1);
  match(client.text, /^HTTP\/1\.1 200 .*ok$/s);
});

Deno.test("a call that is quiet for 50 minutes before its head is answered", () => {
  const { scenario, client, endpoint } = startCall(null);
  endpoint();
  scenario.pass(50 * MINUTE_MS);
  deepEqual(client.take(), []);
  endpoint().head(1, ANSWER, false);
  endpoint().head(1, TRAILERS, true);
  scenario.pass(1);
  deepEqual(client.take().length, 2);
});

for (const sender of ["endpoint", "client"] as const) {
  Deno.test(`a call on which only the ${sender} sends is not idle, and ends after an hour of silence`, () => {
    const { scenario, client, endpoint } = startCall(null);
    const far = endpoint();
    scenario.pass(1);
    far.head(1, ANSWER, false);
    scenario.pass(1);
    client.take();
    far.take();
    const [from, to] = sender === "client" ? [client, far] : [far, client];
    for (let i = 0; i < 4; i++) {
      scenario.pass(50 * MINUTE_MS);
      from.data(1, "tick");
      scenario.pass(1);
      deepEqual(to.take(), ["1 tick"]);
    }
    scenario.pass(HOUR_MS - 1_000);
    deepEqual([client.take(), far.take()], [[], []]);
    scenario.pass(2_000);
    deepEqual(client.take(), ["1 RESET 2"]);
    deepEqual(far.take(), ["1 RESET 8"]);
  });
}

Deno.test("a request whose client stops in its body is given up after an hour: 408", () => {
  const scenario = new Scenario("http1");
  const client = scenario.client();
  scenario.pass(1);
  client.send("POST /t HTTP/1.1\r\nHost: svc0.sim\r\nContent-Length: 10\r\n\r\nhello");
  scenario.pass(HOUR_MS - 1_000);
  equal(client.text, "");
  scenario.pass(2_000);
  match(client.text, /^HTTP\/1\.1 408 /);
});

Deno.test("a request whose client stops in its head is given up after half a minute: 408", () => {
  const scenario = new Scenario("http1");
  const client = scenario.client();
  scenario.pass(1);
  client.send("POST /t HTTP/1.1\r\nHost: svc0.sim\r\n");
  for (let i = 0; i < 10; i++) {
    client.send("x: y\r\n");
    scenario.pass(2_900);
  }
  equal(client.text, "");
  scenario.pass(1_500);
  match(client.text, /^HTTP\/1\.1 408 /);
});

Deno.test("a copy that its mirror does not answer gives its place to others after a minute", () => {
  const mirror = { namespace: "sim", service: "copies", group: "sim/copies:80", percent: 100 };
  const scenario = new Scenario(
    "http1",
    (plan) => withPolicy(withEndpoints(plan, "copies", ["10.2.0.1"]), { mirror }),
  );
  const copies = scenario.listen("10.2.0.1");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(MINUTE_MS - 1_000);
  match(copies[0].text, /^GET /);
  ok(!copies[0].side.hasEnded && !copies[0].side.isReset);
  scenario.pass(2_000);
  ok(copies[0].side.hasEnded || copies[0].side.isReset);
  // The request itself goes on.
  scenario.endpoint[0].send(OK);
  scenario.pass(1);
  match(client.text, /^HTTP\/1\.1 200 .*ok$/s);
});

Deno.test("a request whose exchange served a copy before has more than the copy's minute", () => {
  const mirror = { namespace: "sim", service: "copies", group: "sim/copies:80", percent: 100 };
  const change = (plan: Plan) =>
    withPolicy(withEndpoints(plan, "copies", ["10.2.0.1"]), { mirror });
  const scenario = new Scenario("http1", change);
  const copies = scenario.listen("10.2.0.1");
  const clients = [scenario.client(), scenario.client()];
  scenario.pass(1);
  clients[0].send(GET);
  scenario.pass(20);
  copies[0].send(OK);
  scenario.endpoint[0].send(OK);
  scenario.pass(1);
  scenario.police({});
  for (const client of clients) client.send(GET);
  scenario.pass(10 * MINUTE_MS);
  for (const endpoint of scenario.endpoint) if (!endpoint.side.hasEnded) endpoint.send(OK);
  scenario.pass(1);
  for (const client of clients) match(client.text, /HTTP\/1\.1 200 [^]*ok$/);
  ok(clients.every(({ text }) => !text.includes("504")));
});

// What a policy says.

Deno.test("a policy's times are longer than the defaults, and 0s is none", () => {
  for (const timeouts of [{ requestMs: 0, idleMs: 0 }, { requestMs: 0, idleMs: 20 * HOUR_MS }]) {
    const scenario = new Scenario("http1");
    scenario.police({ timeouts });
    const client = scenario.client();
    scenario.pass(1);
    client.send(GET);
    scenario.pass(3 * HOUR_MS);
    equal(client.text, "");
    scenario.endpoint[0].send(OK);
    scenario.pass(1);
    match(client.text, /^HTTP\/1\.1 200 .*ok$/s);
  }
});

Deno.test("without a time for requests an exchange that is quiet still ends", () => {
  const scenario = new Scenario("http1");
  scenario.police({ timeouts: { requestMs: 0, idleMs: null } });
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(HOUR_MS + 1_000);
  match(client.text, /^HTTP\/1\.1 504 .*upstream-timeout/s);
});

// What a caller of gRPC says.

Deno.test("grpc-timeout ends a call to the millisecond, in each unit, and resets it at the endpoint", () => {
  const TIMES = {
    "1H": HOUR_MS,
    "2M": 2 * MINUTE_MS,
    "3S": 3_000,
    "40m": 40,
    "50000u": 50,
    "60000000n": 60,
  };
  for (const [timeout, ms] of Object.entries(TIMES)) {
    const { scenario, client, endpoint } = startCall(timeout);
    const far = endpoint();
    scenario.pass(ms - 10);
    deepEqual(client.take(), [], timeout);
    const [head] = far.take();
    const left = valueOf(grpcTimeoutIn(head));
    ok(left <= ms && left > ms - 5, `${timeout}: ${left} ms left`);
    scenario.pass(10);
    match(client.take()[0], /^1 :status=200 .*grpc-status=4 .*deadline-exceeded END$/, timeout);
    deepEqual(far.take(), ["1 RESET 8"], timeout);
  }
});

Deno.test("grpc-timeout is the deadline or the policy's time is, whichever is shorter", () => {
  for (const [timeout, requestMs, ms] of [["1S", 60_000, 1_000], ["1M", 500, 500]] as const) {
    const scenario = new Scenario("http2");
    scenario.police({ timeouts: { requestMs, idleMs: null } });
    const { client, endpoint } = startCall(timeout, { scenario });
    const far = endpoint();
    scenario.pass(1);
    const left = valueOf(grpcTimeoutIn(far.take()[0]));
    ok(left <= ms && left > ms - 5, `${left} ms left`);
    const spentMs = timeUntil(scenario, 2_000, () => client.take().length > 0);
    ok(spentMs > ms - 20 && spentMs < ms + 20, `${spentMs} ms`);
  }
});

Deno.test("grpc-timeout also ends an answer under way: its trailers say so", () => {
  const { scenario, client, endpoint } = startCall("1S");
  const far = endpoint();
  far.head(1, ANSWER, false);
  far.data(1, "one");
  scenario.pass(500);
  equal(client.take().length, 2);
  far.data(1, "two");
  scenario.pass(500);
  const [two, trailers] = client.take();
  equal(two, "1 two");
  match(trailers, /^1 grpc-status=4 grpc-message=.* x-weft-reason=deadline-exceeded END$/);
  ok(far.take().includes("1 RESET 8"));
});

Deno.test("an answer under way that has said its length is reset instead", () => {
  const { scenario, client, endpoint } = startCall("1S");
  endpoint().head(1, [...ANSWER, ["content-length", "10"]], false);
  endpoint().data(1, "hello");
  scenario.pass(1_010);
  equal(client.take().at(-1), "1 RESET 2");
});

Deno.test("grpc-timeout runs while no connection is there", () => {
  const scenario = new Scenario("http2");
  scenario.network.weather = { ...scenario.network.weather, connectTimeouts: 1 };
  const { client } = startCall("300m", { scenario });
  scenario.pass(280);
  deepEqual(client.take(), []);
  scenario.pass(20);
  match(client.take()[0], /grpc-status=4 .*deadline-exceeded END$/);
  scenario.pass(2_000);
  equal(scenario.io.connections, 1);
});

const RETRY = {
  attempts: 3,
  conditions: ["gateway-error" as const],
  statuses: [],
  methods: ["POST"],
  perTryTimeoutMs: null,
  budgetPercent: 100,
  backoffMs: 1,
};

Deno.test("each retry is told what is left by then", () => {
  const scenario = new Scenario("http2");
  scenario.police({ retry: RETRY });
  const { client, endpoint } = startCall("1S", { scenario, isEnd: true });
  const far = endpoint();
  let before = 1_000.001;
  for (let id = 1; id <= 7; id += 2) {
    scenario.pass(200);
    const left = valueOf(grpcTimeoutIn(far.take()[0]));
    ok(left < before && left > before - 220, `${left} ms left of ${before}`);
    before = left;
    if (id < 7) far.head(id, [...ANSWER, ["grpc-status", "14"]], true);
  }
  scenario.pass(220);
  match(client.take()[0], /grpc-status=4 .*deadline-exceeded END$/);
  deepEqual(far.take(), ["7 RESET 8"]);
});

Deno.test("grpc-timeout runs while a retry waits to be made", () => {
  const scenario = new Scenario("http2");
  scenario.police({ retry: { ...RETRY, backoffMs: HOUR_MS } });
  const { client, endpoint } = startCall("1S", { scenario, isEnd: true });
  const far = endpoint();
  scenario.pass(10);
  far.head(1, [...ANSWER, ["grpc-status", "14"]], true);
  scenario.pass(1_000);
  equal(far.take().length, 1);
  match(client.take()[0], /grpc-status=4 .*deadline-exceeded END$/);
  scenario.pass(2_500);
  equal(scenario.io.connections, 1);
});

Deno.test("a call whose time is over is refused at once, and no endpoint is asked", () => {
  const { scenario, client } = startCall("0m");
  match(client.take()[0], /grpc-status=4 .*deadline-exceeded END$/);
  equal(scenario.endpoint.length, 0);
});

Deno.test("a call with a time that is malformed goes on as it is, with no deadline", () => {
  for (const timeout of ["soon", "1s", "123456789m"]) {
    const { scenario, client, endpoint } = startCall(timeout);
    const far = endpoint();
    scenario.pass(30 * MINUTE_MS);
    equal(grpcTimeoutIn(far.take()[0]), timeout);
    deepEqual(client.take(), []);
  }
});
