/** Clients and endpoints of either protocol that send and tell heads of any size, and write them in the pieces that a test says. */
import { Decoder } from "../../proxy/protocol/http2/hpack/decoder.ts";
import { END_HEADERS, END_STREAM, HEADERS, PREFACE } from "../../proxy/protocol/http2/frame.ts";
import {
  CONTINUATION,
  readUint24,
  readUint31,
  RST_STREAM,
} from "../../proxy/protocol/http2/frame.ts";
import { fieldListForTest, renderFields } from "../protocol/http2/field_text.ts";
import {
  CLIENT_STARTED,
  concat,
  cutHeaders,
  settings,
  SETTINGS_ACK,
} from "../protocol/http2/frames.ts";
import type { Bytes, Fields } from "../protocol/http2/frames.ts";
import { bytesOf } from "../support/bytes_notation.ts";
import { randomCuts } from "../support/cuts.ts";
import { Random } from "../../base/random.ts";
import { type RawMessage, RawSocket, statusOf } from "../support/raw_socket.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import type { TestProxy } from "../support/test_proxy.ts";
import type { Version } from "./node_peers.ts";

/** How a head is written. */
export type Pieces = "whole" | "byte by byte" | "cut at random";

/** Byte by byte only where it may matter: at the ends, and around the multiples of a buffer. */
const EDGE = 40;
const STEP = 15_872;

function piecesOf(bytes: Bytes, pieces: Pieces): Bytes[] {
  let ends = [bytes.length];
  if (pieces === "cut at random") ends = [...randomCuts(bytes.length, new Random(7, "heads")).ends];
  if (pieces === "byte by byte") {
    ends = Array.from({ length: bytes.length }, (_, i) => i + 1).filter((end) => {
      const near = Math.min(end % STEP, STEP - (end % STEP));
      return near <= EDGE || end > bytes.length - EDGE;
    });
  }
  return ends.map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

async function sendIn(socket: RawSocket, bytes: Bytes, pieces: Pieces): Promise<void> {
  for (const piece of piecesOf(bytes, pieces)) await socket.send(piece);
}

/** What a head says: its fields, pseudo-headers too, and whether the message ends with it; or what came in its place. */
export interface SeenHead {
  readonly streamId: number;
  readonly fields: Fields;
  readonly isEnd: boolean;
}

export function fieldOf({ fields }: { readonly fields: Fields }, name: string): string | undefined {
  return fields.find(([other]) => other === name)?.[1];
}

/** One end of a connection of HTTP/2. */
export class HeadPeer {
  readonly socket: RawSocket;
  readonly #decoder = new Decoder(4096, 1e6);
  readonly #list = fieldListForTest(262_144);
  #rest: Bytes = new Uint8Array(0);
  #block: Bytes = new Uint8Array(0);

  constructor(socket: RawSocket) {
    this.socket = socket;
  }

  static async connect(proxy: TestProxy): Promise<HeadPeer> {
    const peer = new HeadPeer(await proxy.connect());
    await peer.socket.send(CLIENT_STARTED);
    return peer;
  }

  async sendHead(
    streamId: number,
    fields: Fields,
    { isEnd = true, pieces = "whole" as Pieces, frameBytes = 16_384 } = {},
  ): Promise<void> {
    await sendIn(this.socket, cutHeaders(streamId, fields, frameBytes, isEnd), pieces);
  }

  /** The next head; null: the connection has ended. A stream that is reset is told as a head without fields. */
  async nextHead(): Promise<SeenHead | null> {
    for (;;) {
      const frame = await this.#nextFrame();
      if (frame === null) return null;
      const streamId = readUint31(frame, 5);
      if (frame[3] === RST_STREAM) return { streamId, fields: [], isEnd: true };
      if (frame[3] !== HEADERS && frame[3] !== CONTINUATION) continue;
      const isFirst = frame[3] === HEADERS;
      this.#block = concat([isFirst ? new Uint8Array(0) : this.#block, frame.subarray(9)]);
      if (isFirst) this.#isEnd = (frame[4] & END_STREAM) !== 0;
      if ((frame[4] & END_HEADERS) === 0) continue;
      if (!this.#decoder.decode(this.#block, 0, this.#block.length, this.#list)) {
        throw new Error("An invalid header block");
      }
      const fields = renderFields(this.#list).map((line): [string, string] => {
        const at = line.indexOf(": ");
        return [line.slice(0, at).replace("!", ""), line.slice(at + 2)];
      });
      return { streamId, fields, isEnd: this.#isEnd };
    }
  }

  #isEnd = false;

  async #nextFrame(): Promise<Bytes | null> {
    for (;;) {
      const preface = bytesOf(this.socket.takeAll());
      let all = concat([this.#rest, preface]);
      if (all.length >= PREFACE.length && PREFACE.every((byte, i) => all[i] === byte)) {
        all = all.slice(PREFACE.length);
      }
      this.#rest = all;
      const isPreface = all.length > 0 && all[0] === PREFACE[0] && all[1] === PREFACE[1];
      if (!isPreface && all.length >= 9 && all.length >= 9 + readUint24(all, 0)) {
        const end = 9 + readUint24(all, 0);
        this.#rest = all.slice(end);
        return all.slice(0, end);
      }
      if (!await this.socket.readMore()) return null;
    }
  }

  close(): void {
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** An endpoint that answers every request with `answer`, and tells what it was asked. */
export class HeadOrigin {
  readonly #origin: ScriptedOrigin;
  readonly seen: SeenHead[] = [];

  constructor(
    version: Version,
    answer: (request: SeenHead, number: number) => Fields | Promise<Fields>,
    pieces: Pieces = "whole",
  ) {
    const take = (head: SeenHead) => {
      this.seen.push(head);
      return answer(head, this.seen.length - 1);
    };
    const script = version === "h1"
      ? (socket: RawSocket) => serveHttp1(socket, take, pieces)
      : (socket: RawSocket) => serveHttp2(socket, take, pieces);
    this.#origin = new ScriptedOrigin(script, { mayFail: true });
  }

  get port(): number {
    return this.#origin.port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#origin[Symbol.asyncDispose]();
  }
}

type Take = (head: SeenHead) => Fields | Promise<Fields>;

async function serveHttp1(socket: RawSocket, take: Take, pieces: Pieces): Promise<void> {
  for (;;) {
    const request = await socket.readRequest();
    if (request === null) return;
    const [method, path] = request.startLine.split(" ");
    const pseudo: Fields = [[":method", method], [":path", path]];
    const head = { streamId: 0, fields: [...pseudo, ...request.headers], isEnd: true };
    const [[, status], ...fields] = await take(head);
    await sendIn(socket, bytesOf(answerText(status, fields)), pieces);
  }
}

function answerText(status: string, fields: Fields): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} OK\r\n${lines}\r\n`;
}

async function serveHttp2(socket: RawSocket, take: Take, pieces: Pieces): Promise<void> {
  const peer = new HeadPeer(socket);
  await socket.send(concat([settings(), SETTINGS_ACK]));
  for (let sending = Promise.resolve();;) {
    const head = await peer.nextHead();
    if (head === null) return;
    if (head.fields.length === 0) continue;
    sending = Promise.all([take(head), sending]).then(([fields]) =>
      peer.sendHead(head.streamId, fields, { pieces })
    );
    sending.catch(() => {});
  }
}

/** A client of either protocol on one connection. */
interface HeadClient extends Disposable {
  readonly socket: RawSocket;
  /** Asks with these regular fields, and tells the answer's fields, its status first. */
  ask(fields: Fields, pieces?: Pieces): Promise<Fields>;
}

export async function connectClient(version: Version, proxy: TestProxy): Promise<HeadClient> {
  return version === "h1" ? await connectHttp1(proxy) : await connectHttp2(proxy);
}

/** Bytes of a request's head beyond its fields: what `ask` adds, as that protocol counts it. */
export function fixedBytes(version: Version): number {
  return version === "h1"
    ? requestText([]).length
    : REQUEST.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** And of an answer's. */
export function fixedAnswerBytes(version: Version): number {
  return version === "h1" ? answerText("200", []).length : ":status200".length;
}

/** Bytes of one field, as that protocol counts it. */
export function fieldBytes(version: Version, name: string): number {
  return name.length + (version === "h1" ? ": \r\n".length : 0);
}

const REQUEST: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "app"],
];

function requestText(fields: Fields): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `GET / HTTP/1.1\r\nhost: app\r\n${lines}\r\n`;
}

async function connectHttp1(proxy: TestProxy): Promise<HeadClient> {
  const socket = await proxy.connect();
  return {
    socket,
    async ask(fields, pieces = "whole") {
      // A refusal may come while the head is still being sent.
      const sending = sendIn(socket, bytesOf(requestText(fields)), pieces).catch(() => {});
      const answer: RawMessage = await socket.readResponse();
      await sending;
      return [[":status", `${statusOf(answer)}`], ...answer.headers];
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

async function connectHttp2(proxy: TestProxy): Promise<HeadClient> {
  const peer = await HeadPeer.connect(proxy);
  let streamId = -1;
  return {
    socket: peer.socket,
    async ask(fields, pieces = "whole") {
      streamId += 2;
      await peer.sendHead(streamId, [...REQUEST, ...fields], { pieces });
      for (;;) {
        const head = await peer.nextHead();
        if (head === null) throw new Error("The connection ended");
        if (head.streamId === streamId) return head.fields;
      }
    },
    [Symbol.dispose]: () => peer.close(),
  };
}
