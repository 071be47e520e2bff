/** Endpoints that misbehave where a proxy is easily caught out: at the start of HTTP/2, between requests, in resets. */
import { deepEqual, equal, match } from "node:assert/strict";
import { Random } from "../../base/random.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { CONNECT_ATTEMPTS_MAX } from "../../proxy/limits.ts";
import { encodeLiterals, HpackDecoder } from "./hpack.ts";
import { type Frame, FrameCutter, frames } from "./http2_frames.ts";
import { OPENINGS } from "./http2_openings.ts";
import type { Opening } from "./http2_openings.ts";
import { Probe } from "./probe.ts";
import { Scenario } from "./scenario.ts";
import type { End } from "./scenario.ts";

const HOST = "Host: svc0.sim\r\n";
const GET = `GET /t HTTP/1.1\r\n${HOST}\r\n`;
const POST = `POST /t HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const WHOLE = frames.END_HEADERS | frames.END_STREAM;

function statusesOf({ text }: End): string[] {
  return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => status);
}

function fieldsOf(method: string): Uint8Array {
  return encodeLiterals([
    [":method", method],
    [":scheme", "http"],
    [":path", "/t"],
    [":authority", "svc0.sim"],
  ]);
}

/** Plays a scenario, and looks at what it leaves behind. */
function play(protocol: "http1" | "http2", run: (it: Scenario) => void): void {
  const probe = new Probe();
  probe.watch(new Random(1, "platform"), () => {
    const it = new Scenario(protocol);
    run(it);
    equal(probe.endless(), "");
    it.engine.drain(() => {});
    it.pass(DEFAULT_TIMEOUTS.drainMs + 2_000);
    equal(it.engine.snapshot().lastFault, "");
    equal(probe.leftovers(), "");
  });
}

/** A test of one scenario. */
function scenario(name: string, protocol: "http1" | "http2", run: (it: Scenario) => void): void {
  Deno.test(name, () => play(protocol, run));
}

/** A moment in which everything that can happen at once has happened. */
const AT_ONCE_MS = 50;

/** Answers each request of HTTP/1.1 without more than a head and two bytes of body. */
function answerHttp1(end: End): void {
  let answered = 0;
  end.onText = () => {
    for (; answered < requestsAt(end); answered++) end.send(OK);
  };
}

/** Whole requests of this file that an endpoint of HTTP/1.1 has got. */
function requestsAt({ text }: End): number {
  return Array.from(text.matchAll(/GET [^]*?\r\n\r\n|POST [^]*?\r\n\r\nbody/g)).length;
}

/** The frames of one end, and what has come so far of each kind. */
class FrameEnd {
  readonly end: End;
  readonly frames: Frame[] = [];
  onFrame: (frame: Frame) => void = () => {};
  readonly #cutter = new FrameCutter();
  #at: number;

  /** `prefaceBytes`: what comes before the first frame. */
  constructor(end: End, prefaceBytes: number) {
    this.end = end;
    this.#at = prefaceBytes;
    end.onText = () => this.#take();
  }

  #take(): void {
    const { text } = this.end;
    if (text.length < this.#at) return;
    const bytes = Uint8Array.from(text.slice(this.#at), (one) => one.charCodeAt(0));
    this.#at = text.length;
    for (const frame of this.#cutter.cut(bytes)) {
      this.frames.push(frame);
      const isSettings = frame.type === frames.SETTINGS && (frame.flags & frames.ACK) === 0;
      if (isSettings) this.end.send(frames.frame(frames.SETTINGS, frames.ACK, 0));
      this.onFrame(frame);
    }
  }

  /** Streams that were opened here. */
  get streams(): number[] {
    return this.frames.filter(({ type }) => type === frames.HEADERS).map(({ id }) => id);
  }
}

/** An endpoint of HTTP/2 that gives each request to `answer`, with the number of those before it on its connection. */
function serveHttp2(
  end: End,
  answer: (peer: FrameEnd, id: number, index: number) => void,
): FrameEnd {
  const peer = new FrameEnd(end, frames.PREFACE.length);
  end.send(frames.settings([]));
  peer.onFrame = ({ type, id }) => {
    if (type === frames.HEADERS) answer(peer, id, peer.streams.length - 1);
  };
  return peer;
}

function answer204(peer: FrameEnd, id: number): void {
  const head = encodeLiterals([[":status", "204"]]);
  peer.end.send(frames.frame(frames.HEADERS, WHOLE, id, head));
}

/** How HTTP/2 begins. */

const AFTERWARDS: Readonly<Record<string, (end: End) => void>> = {
  "and stays": () => {},
  "and ends": ({ side }) => side.sendEnd(),
  "and resets": ({ side }) => side.reset(),
};

/** The time after which a request must have its answer. */
function patienceOf({ isTelling }: Opening, after: string): number {
  const isSeen = isTelling || after !== "and stays";
  return isSeen ? AT_ONCE_MS : CONNECT_ATTEMPTS_MAX * (DEFAULT_TIMEOUTS.connectMs + 1_000);
}

for (const opening of OPENINGS) {
  const begins = `an endpoint of HTTP/2 that begins with ${opening.name}`;
  for (const [after, finish] of Object.entries(AFTERWARDS)) {
    const begin = (end: End) => {
      if (opening.bytes.length > 0) end.send(opening.bytes);
      finish(end);
    };
    Deno.test(`${begins} ${after}: 50x, and nothing is left`, () => {
      play("http2", (it) => askByHttp1(it, begin, patienceOf(opening, after)));
      play("http2", (it) => askByHttp2(it, begin, patienceOf(opening, after)));
    });
  }
}

function askByHttp1(it: Scenario, begin: (end: End) => void, patienceMs: number): void {
  it.listen("10.0.0.1", begin);
  for (const request of [GET, POST]) {
    const client = it.client();
    it.pass(AT_ONCE_MS);
    client.send(request);
    it.pass(patienceMs);
    match(statusesOf(client).join(), /^50[234]$/);
    equal(it.io.connections, 1, "Only the client's is left");
    client.side.close();
    it.pass(1);
  }
}

function askByHttp2(it: Scenario, begin: (end: End) => void, patienceMs: number): void {
  it.listen("10.0.0.1", begin);
  const client = new FrameEnd(it.client(), 0);
  it.pass(AT_ONCE_MS);
  client.end.send(frames.PREFACE, frames.settings([]));
  client.end.send(frames.frame(frames.HEADERS, WHOLE, 1, fieldsOf("GET")));
  it.pass(patienceMs);
  const head = client.frames.find(({ type }) => type === frames.HEADERS);
  const [status] = new HpackDecoder().decode(head?.payload ?? new Uint8Array());
  match(status?.[1] ?? "none", /^50[234]$/);
  equal(it.io.connections, 1, "Only the client's is left");
}

for (const opening of OPENINGS) {
  if (!opening.isTelling || opening.mayBeAsked) continue;
  scenario(
    `an endpoint that begins with ${opening.name}: every request goes to the other one`,
    "http2",
    (it) => {
      it.listen("10.0.0.1", (end) => end.send(opening.bytes));
      it.listen("10.0.0.2", (end) => void serveHttp2(end, answer204));
      it.spread("10.0.0.1", "10.0.0.2");
      for (const request of [GET, POST, GET, POST]) {
        const client = it.client();
        it.pass(AT_ONCE_MS);
        client.send(request);
        it.pass(AT_ONCE_MS);
        deepEqual(statusesOf(client), ["204"]);
        client.side.close();
        it.pass(1);
      }
    },
  );
}

/** Answers without a body. */

const BODILESS: Readonly<Record<string, string>> = {
  "204": "HTTP/1.1 204 No Content\r\n",
  "304 with a length": "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n",
  "a length of 0": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
};

/** A line of a head that no table of HPACK makes short. */
function padding(): string {
  return `${padded++}`.repeat(1_000).slice(0, 1_000);
}

let padded = 1;

/** Opens streams on a connection that takes nothing, and wants each answer to end with its head once it does. */
function wantEndsOnHeads(it: Scenario, method: string, count: number): void {
  const { weather } = it.network;
  it.network.weather = { ...weather, capacityMin: 1_000, capacityMax: 1_000 };
  const client = new FrameEnd(it.client(), 0);
  it.network.weather = weather;
  it.pass(AT_ONCE_MS);
  client.end.isDeaf = true;
  client.end.send(frames.PREFACE, frames.settings([]));
  for (let i = 0; i < count; i++) {
    client.end.send(frames.frame(frames.HEADERS, WHOLE, 2 * i + 1, fieldsOf(method)));
    it.pass(1);
  }
  client.end.isDeaf = false;
  client.end.side.onChange();
  it.pass(AT_ONCE_MS);
  const ends = client.frames.filter(({ type }) => type === frames.HEADERS || type === frames.DATA)
    .map(({ type, flags }) => `${type} ${flags & frames.END_STREAM}`);
  deepEqual(ends, Array.from({ length: count }, () => `${frames.HEADERS} ${frames.END_STREAM}`));
}

scenario(
  "an answer of HEADERS alone stays one, although the client's connection is full",
  "http2",
  (it) => {
    it.listen("10.0.0.1", (end) => {
      serveHttp2(end, (peer, id) => {
        const head = encodeLiterals([[":status", "200"], ["grpc-status", "5"], ["x", padding()]]);
        peer.end.send(frames.frame(frames.HEADERS, WHOLE, id, head));
      });
    });
    wantEndsOnHeads(it, "POST", 40);
  },
);

for (const [what, head] of Object.entries(BODILESS)) {
  scenario(
    `an answer of HTTP/1.1 with ${what} is HEADERS with END_STREAM, although the connection is full`,
    "http1",
    (it) => {
      it.listen("10.0.0.1", (end) => {
        end.onText = () => end.send(`${head}x: ${padding()}\r\n\r\n`);
      });
      wantEndsOnHeads(it, "GET", 40);
    },
  );
}

scenario(
  "an answer to HEAD is HEADERS with END_STREAM, although the connection is full",
  "http1",
  (it) => {
    it.listen("10.0.0.1", (end) => {
      end.onText = () =>
        end.send(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: ${padding()}\r\n\r\n`);
    });
    wantEndsOnHeads(it, "HEAD", 40);
  },
);

/** Connections that are kept. */

const STRAYS: Readonly<Record<string, (end: End) => void>> = {
  "its end": ({ side }) => side.sendEnd(),
  "a reset": ({ side }) => side.reset(),
  "408, and its end": (end) => {
    end.send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    end.side.sendEnd();
  },
  "an unasked answer": (end) => end.send(OK),
  "half an answer": (end) => end.send("HTTP/1.1 200 OK\r\nContent-Le"),
  "an empty line": (end) => end.send("\r\n"),
  "bytes that are no answer": (end) => end.send("\0\0\0"),
};

/** A client that has been answered once, so that a connection to its endpoint is kept. */
function withKept(it: Scenario): { readonly client: End; readonly endpoints: readonly End[] } {
  const endpoints = it.listen("10.0.0.1", answerHttp1);
  const client = it.client();
  it.pass(AT_ONCE_MS);
  client.send(GET);
  it.pass(1);
  deepEqual(statusesOf(client), ["200"]);
  equal(endpoints.length, 1);
  return { client, endpoints };
}

// Both orders of events in a batch have to be met.
const ORDERS = 8;

for (const [what, stray] of Object.entries(STRAYS)) {
  for (const request of [GET, POST]) {
    const [method] = request.split(" ");
    scenario(
      `a kept connection on which ${what} is there is not used for the next ${method}`,
      "http1",
      (it) => {
        for (let i = 0; i < ORDERS; i++) {
          const { client, endpoints } = withKept(it);
          endpoints[0].onText = () => {};
          stray(endpoints[0]);
          client.send(request);
          it.pass(AT_ONCE_MS);
          deepEqual(statusesOf(client), ["200", "200"]);
          equal(requestsAt(endpoints[0]), 1);
          equal(endpoints.length, 2);
          equal(it.io.connections, 2, "The client's, and the one that is kept");
          client.side.close();
          endpoints[1].side.close();
          it.pass(1);
        }
      },
    );
  }
}

for (const [what, stray] of Object.entries(STRAYS)) {
  // What is lost with a reset, nothing can look at.
  if (what === "a reset") continue;
  scenario(
    `a connection on which ${what} is right behind the answer is not used for the request that waits`,
    "http1",
    (it) => {
      const endpoints = it.listen("10.0.0.1", (end) => {
        end.onText = () => {
          end.onText = () => {};
          end.send(OK);
          if (endpoints.length === 1) stray(end);
        };
      });
      const client = it.client();
      it.pass(AT_ONCE_MS);
      client.send(`${GET}${POST}`);
      it.pass(AT_ONCE_MS);
      deepEqual(statusesOf(client), ["200", "200"]);
      deepEqual(endpoints.map(requestsAt), [1, 1]);
    },
  );
}

scenario(
  "a kept connection is closed while a POST is on its way: sent again, since it was not read",
  "http1",
  (it) => {
    const { weather } = it.network;
    // Who is first, the end or the request, is drawn.
    for (let i = 0; i < 4 * ORDERS; i++) {
      const { client, endpoints } = withKept(it);
      it.network.weather = { ...weather, delayMaxMs: 5 };
      endpoints[0].side.close();
      client.send(POST);
      it.pass(AT_ONCE_MS);
      deepEqual(statusesOf(client), ["200", "200"]);
      deepEqual(endpoints.map(requestsAt), [1, 1]);
      it.network.weather = weather;
      client.side.close();
      endpoints[1].side.close();
      it.pass(AT_ONCE_MS);
    }
  },
);

scenario(
  "a kept connection is closed after a POST was read: not sent again",
  "http1",
  (it) => {
    const { client, endpoints } = withKept(it);
    endpoints[0].onText = () => endpoints[0].side.close();
    client.send(POST);
    it.pass(AT_ONCE_MS);
    deepEqual(statusesOf(client), ["200", "502"]);
    deepEqual(endpoints.map(requestsAt), [2]);
  },
);

scenario(
  "408 in place of the answer on a kept connection: sent again, POST too",
  "http1",
  (it) => {
    const { client, endpoints } = withKept(it);
    endpoints[0].onText = () => STRAYS["408, and its end"](endpoints[0]);
    client.send(POST);
    it.pass(AT_ONCE_MS);
    deepEqual(statusesOf(client), ["200", "200"]);
    equal(endpoints.length, 2);
  },
);

scenario("408 on a connection's first request is the answer", "http1", (it) => {
  const endpoints = it.listen("10.0.0.1", (end) => {
    end.onText = () => STRAYS["408, and its end"](end);
  });
  const client = it.client();
  it.pass(AT_ONCE_MS);
  client.send(POST);
  it.pass(AT_ONCE_MS);
  deepEqual(statusesOf(client), ["408"]);
  equal(endpoints.length, 1);
});

scenario(
  "an endpoint ends connections at its limit, unannounced: no POST is lost",
  "http1",
  (it) => {
    const endpoints = it.listen("10.0.0.1", (end) => {
      let answered = 0;
      end.onText = () => {
        for (; answered < Math.min(3, requestsAt(end)); answered++) {
          end.send(OK);
          if (answered === 2) end.side.sendEnd();
        }
      };
    });
    const client = it.client();
    it.pass(AT_ONCE_MS);
    let sent = 0;
    client.onText = () => {
      const answers = statusesOf(client).length;
      if (answers === sent && sent < 50 && client.text.endsWith("ok")) {
        sent++;
        client.send(POST);
      }
    };
    sent = 1;
    client.send(POST);
    it.pass(AT_ONCE_MS);
    deepEqual(statusesOf(client), Array.from({ length: 50 }, () => "200"));
    equal(endpoints.reduce((sum, end) => sum + requestsAt(end), 0), 50);
  },
);

for (
  const [header, waitMs, isKept] of [
    ["Keep-Alive: timeout=1", 400, true],
    ["Keep-Alive: timeout=1", 600, false],
    ["Keep-Alive: timeout=1", 1_010, false],
    ["keep-alive: max=100, Timeout=1", 1_010, false],
    ["Keep-Alive: timeout=0", 1, false],
    ["Keep-Alive: max=1", 1_500, true],
    ["Keep-Alive: timeout=soon", 1_500, true],
  ] as const
) {
  scenario(
    `an answer with ${header}: the connection is ${isKept ? "" : "not "}used after ${waitMs} ms`,
    "http1",
    (it) => {
      const endpoints = it.listen("10.0.0.1", (end) => {
        end.onText = () => end.send(OK.replace("\r\n", `\r\n${header}\r\n`));
      });
      const client = it.client();
      it.pass(AT_ONCE_MS);
      client.send(GET);
      it.pass(waitMs);
      client.send(GET);
      it.pass(1);
      deepEqual(statusesOf(client), ["200", "200"]);
      equal(endpoints.length, isKept ? 1 : 2);
    },
  );
}

/** Streams that their endpoint resets. */

const RESETS: readonly (readonly [name: string, code: number])[] = [
  ["NO_ERROR", 0],
  ["PROTOCOL_ERROR", 1],
  ["INTERNAL_ERROR", 2],
  ["FLOW_CONTROL_ERROR", 3],
  ["STREAM_CLOSED", 5],
  ["CANCEL", 8],
  ["ENHANCE_YOUR_CALM", 11],
  ["HTTP_1_1_REQUIRED", 13],
  ["a code of its own", 0x1234],
];

for (const [name, code] of RESETS) {
  for (const method of ["GET", "PUT", "POST"]) {
    scenario(
      `a stream that is reset with ${name} on a kept connection: ${method} is not sent again`,
      "http2",
      (it) => {
        const peers: FrameEnd[] = [];
        it.listen("10.0.0.1", (end) => {
          peers.push(serveHttp2(end, (peer, id, index) => {
            if (index === 0) answer204(peer, id);
            else peer.end.send(frames.reset(id, code));
          }));
        });
        const client = it.client();
        it.pass(AT_ONCE_MS);
        client.send(GET);
        it.pass(1);
        client.send(`${method} /t HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
        it.pass(AT_ONCE_MS);
        deepEqual(statusesOf(client), ["204", "502"]);
        deepEqual(peers.map(({ streams }) => streams.length), [2]);
      },
    );
  }
}

for (const method of ["GET", "POST"]) {
  scenario(`a stream that is refused: ${method} is sent again`, "http2", (it) => {
    let refused = 0;
    it.listen("10.0.0.1", (end) => {
      serveHttp2(end, (peer, id, index) => {
        if (index === 0 || refused++ > 0) answer204(peer, id);
        else peer.end.send(frames.reset(id, frames.REFUSED_STREAM));
      });
    });
    const client = it.client();
    it.pass(AT_ONCE_MS);
    client.send(GET);
    it.pass(1);
    client.send(`${method} /t HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
    it.pass(AT_ONCE_MS);
    deepEqual(statusesOf(client), ["204", "204"]);
  });
  scenario(`what GOAWAY leaves out: ${method} is sent again`, "http2", (it) => {
    let isOver = false;
    const peers: FrameEnd[] = [];
    it.listen("10.0.0.1", (end) => {
      peers.push(serveHttp2(end, (peer, id, index) => {
        if (index === 0 || isOver) return answer204(peer, id);
        isOver = true;
        peer.end.send(frames.goaway(id - 2, frames.NO_ERROR));
      }));
    });
    const client = it.client();
    it.pass(AT_ONCE_MS);
    client.send(GET);
    it.pass(1);
    client.send(`${method} /t HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
    it.pass(AT_ONCE_MS);
    deepEqual(statusesOf(client), ["204", "204"]);
    equal(peers.length, 2);
  });
}

for (const attempts of [1, 3]) {
  scenario(
    `attempts: ${attempts} means as many more tries of a stream that is reset`,
    "http2",
    (it) => {
      let asked = 0;
      it.listen("10.0.0.1", (end) => {
        serveHttp2(end, (peer, id) => {
          asked++;
          peer.end.send(frames.reset(id, frames.INTERNAL_ERROR));
        });
      });
      it.police({
        retry: {
          attempts,
          conditions: ["reset"],
          statuses: [],
          methods: ["GET"],
          perTryTimeoutMs: null,
          budgetPercent: 100,
          backoffMs: 1,
        },
      });
      const client = it.client();
      it.pass(AT_ONCE_MS);
      client.send(GET);
      it.pass(AT_ONCE_MS);
      deepEqual(statusesOf(client), ["502"]);
      equal(asked, 1 + attempts);
    },
  );
}

/** Heads, data and ends in any order. */

const HEADS: readonly (readonly (readonly [string, string])[])[] = [
  [[":status", "100"]],
  [[":status", "103"], ["link", "x".repeat(2_000)]],
  [[":status", "200"]],
  [[":status", "200"], ["content-length", "5"]],
  [[":status", "204"]],
  [[":status", "101"]],
  [[":status", "099"]],
  [["grpc-status", "0"]],
  [["x", "y"]],
  [],
];

function anyFrame(random: Random, id: number): Uint8Array {
  const pick = (count: number) => random.next32() % count;
  const flags = pick(3) === 0 ? frames.END_STREAM : 0;
  if (pick(10) === 0) return frames.reset(id, pick(14));
  if (pick(4) === 0) return frames.frame(frames.DATA, flags, id, new Uint8Array(pick(3) * 1_000));
  const head = encodeLiterals(HEADS[pick(HEADS.length)]);
  return frames.frame(frames.HEADERS, frames.END_HEADERS | flags, id, head);
}

for (const version of ["HTTP/1.1", "HTTP/2"]) {
  scenario(
    `what an endpoint of HTTP/2 sends in any order is no defect of the proxy: a client of ${version}`,
    "http2",
    (it) => {
      const random = new Random(1, "frames");
      it.listen("10.0.0.1", (end) => {
        serveHttp2(end, (peer, id) => {
          for (let i = 0; i < 4 && !peer.end.side.isClosed; i++) {
            if (!peer.end.side.hasSentEnd && !peer.end.side.isReset) {
              peer.end.send(anyFrame(random, id));
            }
          }
        });
      });
      for (let round = 0; round < 200; round++) {
        const client = it.client();
        it.pass(1);
        client.isDeaf = round % 2 === 0;
        if (version === "HTTP/1.1") client.send(GET, POST);
        else {
          client.send(frames.PREFACE, frames.settings([]));
          for (const id of [1, 3, 5, 7]) {
            client.send(frames.frame(frames.HEADERS, WHOLE, id, fieldsOf("GET")));
            if (round % 3 === 0) client.send(frames.reset(id, frames.CANCEL));
          }
        }
        it.pass(3);
        client.isDeaf = false;
        client.side.onChange();
        it.pass(3);
        equal(it.engine.snapshot().lastFault, "");
        client.side.reset();
        it.pass(1);
      }
    },
  );
}
