/** An HTTP/1.1 endpoint of one Service of the soak: it checks what it gets, answers as the path says, and dies and comes back. */
import { ANSWER_BODY, bodyOf, REQUEST_BODY, wrongByte } from "../simulation/exchange.ts";
import { framingOf, NO_BODY, valuesOf, WireReader } from "../simulation/wire.ts";
import type { Framing, MessageHead, Receiver } from "../simulation/wire.ts";
import { MortalServer, writeAll } from "./mortal_server.ts";

const encoder = new TextEncoder();

export class Http1Origin extends MortalServer {
  readonly #service: string;
  readonly #onWrong: (what: string) => void;

  constructor(service: string, onWrong: (what: string) => void) {
    super();
    this.#service = service;
    this.#onWrong = onWrong;
  }

  protected override async serve(connection: Deno.TcpConn): Promise<void> {
    const requests = new Requests(this.#service, this.#onWrong);
    const reader = new WireReader(requests);
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      reader.feed(buffer.subarray(0, count));
      for (const answer of requests.answers.splice(0)) await writeAll(connection, answer);
    }
  }
}

class Requests implements Receiver {
  readonly answers: Uint8Array[] = [];
  readonly #service: string;
  readonly #onWrong: (what: string) => void;
  #token = 0;
  #answerBytes = 0;
  #isChunked = false;
  #expected = 0;
  #received = 0;

  constructor(service: string, onWrong: (what: string) => void) {
    this.#service = service;
    this.#onWrong = onWrong;
  }

  onHead(head: MessageHead): Framing {
    const [, , token, bytes, framing] = head.line.split(" ")[1].split("/");
    this.#token = Number(token);
    this.#answerBytes = Number(bytes);
    this.#isChunked = framing === "chunked";
    this.#expected = Number(valuesOf(head, "x-bytes")[0]);
    this.#received = 0;
    const [host] = valuesOf(head, "host");
    if (host.split(".")[0] !== this.#service) {
      this.#onWrong(`a request for ${host} came to an endpoint of ${this.#service}`);
    }
    return framingOf(head, NO_BODY);
  }

  onBody(bytes: Uint8Array): void {
    const wrong = wrongByte(this.#token, REQUEST_BODY, this.#received, bytes);
    if (wrong >= 0) this.#onWrong(`byte ${wrong} of request ${this.#token}`);
    this.#received += bytes.length;
  }

  onEnd(): void {
    if (this.#received !== this.#expected) this.#onWrong(`length of request ${this.#token}`);
    const body = bodyOf(this.#token, ANSWER_BODY, this.#answerBytes);
    const head = `HTTP/1.1 200 OK\r\nx-token: ${this.#token}\r\n`;
    if (!this.#isChunked) {
      this.answers.push(encoder.encode(`${head}content-length: ${body.length}\r\n\r\n`), body);
      return;
    }
    this.answers.push(encoder.encode(`${head}transfer-encoding: chunked\r\n\r\n`));
    for (let at = 0; at < body.length; at += 5_000) {
      const part = body.subarray(at, at + 5_000);
      this.answers.push(encoder.encode(`${part.length.toString(16)}\r\n`), part, CRLF);
    }
    this.answers.push(encoder.encode("0\r\n\r\n"));
  }
}

const CRLF = encoder.encode("\r\n");
