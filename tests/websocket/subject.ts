/**
 * Subject: the `ws` package at the other end of the proxy. It sends back every message as it came, and says how its
 * connection ended.
 */
import { createServer, type Server } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { soon } from "../support/until.ts";

/** Everything is compressed, however short; or nothing is. */
const deflateOf = (isCompressed: boolean) => isCompressed ? { threshold: 0 } : false;

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

export class Subject {
  readonly socket: WebSocket;
  /** The handshake is done, and messages may be sent. */
  readonly opened: Promise<void>;
  readonly #closed: Promise<Closing>;
  /** Payloads of pongs, in order. */
  readonly pongs: string[] = [];

  constructor(socket: WebSocket) {
    this.socket = socket;
    // What went wrong is told by the code that the connection is closed with.
    socket.on("error", () => {});
    socket.on(
      "message",
      (message: Uint8Array, binary: boolean) => socket.send(message, { binary }),
    );
    socket.on("pong", (payload: Uint8Array) => this.pongs.push(new TextDecoder().decode(payload)));
    this.opened = new Promise((resolve) => {
      if (socket.readyState === WebSocket.OPEN) resolve();
      else socket.once("open", resolve);
    });
    this.#closed = new Promise((resolve) => {
      socket.on(
        "close",
        (code: number, reason: Uint8Array) =>
          resolve({ code, reason: new TextDecoder().decode(reason) }),
      );
    });
  }

  /** How the connection ended, once it has. */
  closed(): Promise<Closing> {
    return soon("the subject's connection to end", this.#closed);
  }

  static connect(port: number, isCompressed: boolean): Subject {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat?x=1`, {
      headers: { host: "app" },
      perMessageDeflate: deflateOf(isCompressed),
    });
    return new Subject(socket);
  }
}

/** A server of one client at a time. */
export class SubjectServer {
  readonly #http: Server = createServer();
  readonly #server: WebSocketServer;
  #next = Promise.withResolvers<Subject>();

  private constructor(isCompressed: boolean) {
    this.#server = new WebSocketServer({
      server: this.#http,
      perMessageDeflate: deflateOf(isCompressed),
    });
    this.#server.on("connection", (socket: WebSocket) => this.#next.resolve(new Subject(socket)));
  }

  static async start(isCompressed: boolean): Promise<SubjectServer> {
    const it = new SubjectServer(isCompressed);
    await new Promise<void>((resolve) => it.#http.listen(0, "127.0.0.1", resolve));
    return it;
  }

  get port(): number {
    const address = this.#http.address();
    if (address === null || typeof address === "string") throw new Error("Not listening");
    return address.port;
  }

  /** The one that has connected since the last call. */
  async accepted(): Promise<Subject> {
    const subject = await soon("a client", this.#next.promise);
    this.#next = Promise.withResolvers<Subject>();
    return subject;
  }

  [Symbol.dispose](): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    this.#http.close();
  }
}
