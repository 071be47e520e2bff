/**
 * HTTP/1.1 clients of the soak, plain or in TLS: requests over one connection after another, every byte of every answer
 * checked.
 */
import type { Random } from "../../base/random.ts";
import { ANSWER_BODY, bodyOf, REQUEST_BODY, wrongByte } from "../simulation/exchange.ts";
import { framingOf, NO_BODY, valuesOf, WireReader } from "../simulation/wire.ts";
import type { Framing, MessageHead, Receiver } from "../simulation/wire.ts";
import { writeAll } from "./mortal_server.ts";
import { bodyBytes, EXCHANGE_MS_MAX, type Tally } from "./tally.ts";

const encoder = new TextEncoder();
let lastToken = 0;

/** How a client reaches the proxy and whom it asks for. */
interface Http1Client {
  dial(): Promise<Deno.TcpConn | Deno.TlsConn>;
  readonly hosts: readonly string[];
  /** Between two exchanges. */
  pause(): Promise<void>;
  isOver(): boolean;
}

/** Goes on until `isOver`. */
export async function runHttp1Client(
  client: Http1Client,
  random: Random,
  tally: Tally,
): Promise<void> {
  while (!client.isOver()) {
    const connection = await client.dial();
    try {
      const count = 1 + random.below(30);
      for (let i = 0; i < count && !client.isOver(); i++) {
        const host = client.hosts[random.below(client.hosts.length)];
        if (!await bounded(connection, host, random, tally)) break;
        await client.pause();
      }
    } catch {
      tally.cut++;
    }
    try {
      connection.close();
    } catch {
      // Closed by `bounded`.
    }
  }
}

async function bounded(
  connection: Deno.Conn,
  host: string,
  random: Random,
  tally: Tally,
): Promise<boolean> {
  const timer = setTimeout(() => {
    tally.wrong.push(`no end of an exchange with ${host}`);
    connection.close();
  }, EXCHANGE_MS_MAX);
  try {
    return await exchange(connection, host, random, tally);
  } finally {
    clearTimeout(timer);
  }
}

/** False: the connection is of no more use. */
async function exchange(
  connection: Deno.Conn,
  host: string,
  random: Random,
  tally: Tally,
): Promise<boolean> {
  const token = ++lastToken;
  const below = (bound: number) => random.below(bound);
  const answerBytes = bodyBytes(below);
  const requestBytes = random.below(3) === 0 ? bodyBytes(below) : 0;
  const framing = random.below(2) === 0 ? "length" : "chunked";
  const head = [
    `${requestBytes > 0 ? "POST" : "GET"} /t/${token}/${answerBytes}/${framing} HTTP/1.1`,
    `host: ${host}`,
    `x-bytes: ${requestBytes}`,
    ...(requestBytes > 0 ? [`content-length: ${requestBytes}`] : []),
  ].join("\r\n");
  await writeAll(connection, encoder.encode(`${head}\r\n\r\n`));
  if (requestBytes > 0) await writeAll(connection, bodyOf(token, REQUEST_BODY, requestBytes));
  if (random.below(100) === 0) {
    tally.abandoned++;
    return false;
  }
  const answer = new AnswerReceiver(token, answerBytes, tally);
  const reader = new WireReader(answer);
  const buffer = new Uint8Array(random.below(10) === 0 ? 700 : 64 * 1024);
  while (!answer.isWhole) {
    const count = await connection.read(buffer);
    if (count === null) {
      tally.cut++;
      return false;
    }
    tally.bytes += count;
    reader.feed(buffer.subarray(0, count));
  }
  return !answer.isClosing;
}

class AnswerReceiver implements Receiver {
  isWhole = false;
  isClosing = false;
  readonly #token: number;
  readonly #bytes: number;
  readonly #tally: Tally;
  #isRefusal = false;
  #received = 0;

  constructor(token: number, bytes: number, tally: Tally) {
    this.#token = token;
    this.#bytes = bytes;
    this.#tally = tally;
  }

  onHead(head: MessageHead): Framing {
    this.#isRefusal = valuesOf(head, "x-weft-reason").length > 0;
    this.isClosing = valuesOf(head, "connection").includes("close");
    const token = valuesOf(head, "x-token").join();
    if (!this.#isRefusal && token !== `${this.#token}`) {
      this.#tally.wrong.push(`answer ${token} in place of ${this.#token}`);
    }
    return framingOf(head, NO_BODY);
  }

  onBody(bytes: Uint8Array): void {
    if (!this.#isRefusal) {
      const wrong = wrongByte(this.#token, ANSWER_BODY, this.#received, bytes);
      if (wrong >= 0) this.#tally.wrong.push(`byte ${wrong} of answer ${this.#token}`);
    }
    this.#received += bytes.length;
  }

  onEnd(): void {
    this.isWhole = true;
    if (this.#isRefusal) {
      this.#tally.refused++;
      return;
    }
    this.#tally.answered++;
    if (this.#received !== this.#bytes) this.#tally.wrong.push(`length of answer ${this.#token}`);
  }
}
