/** A client of the soak: requests over one connection after another, every byte of every answer checked. */
import type { Random } from "../../base/random.ts";
import { ANSWER_BODY, bodyOf, REQUEST_BODY, wrongByte } from "../simulation/exchange.ts";
import { framingOf, NO_BODY, valuesOf, WireReader } from "../simulation/wire.ts";
import type { Framing, MessageHead, Receiver } from "../simulation/wire.ts";
import { writeAll } from "./soak_origin.ts";

/** What became of requests. Nothing but `wrong` is a defect: endpoints die all the time. */
export interface Tally {
  answered: number;
  /** By the proxy itself. */
  refused: number;
  /** The connection ended within an answer, or before it. */
  cut: number;
  abandoned: number;
  bytes: number;
  readonly wrong: string[];
}

const encoder = new TextEncoder();
let lastToken = 0;

/** Goes on until `isOver`. */
export async function runClient(
  port: number,
  random: Random,
  tally: Tally,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    try {
      const count = 1 + random.below(30);
      for (let i = 0; i < count && !isOver(); i++) {
        if (!await exchange(connection, random, tally)) break;
      }
    } catch {
      tally.cut++;
    }
    connection.close();
  }
}

/** False: the connection is of no more use. */
async function exchange(
  connection: Deno.TcpConn,
  random: Random,
  tally: Tally,
): Promise<boolean> {
  const token = ++lastToken;
  const answerBytes = size(random);
  const requestBytes = random.below(3) === 0 ? size(random) : 0;
  const framing = random.below(2) === 0 ? "length" : "chunked";
  const head = [
    `${requestBytes > 0 ? "POST" : "GET"} /t/${token}/${answerBytes}/${framing} HTTP/1.1`,
    "host: app",
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

/** Mostly small; one in thirty takes several buffers. */
function size(random: Random): number {
  return random.below(random.below(30) === 0 ? 200_000 : 3_000);
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
