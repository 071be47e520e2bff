/** ScriptedOrigin: an endpoint on loopback that does with each connection exactly what a test says. */
import net from "node:net";
import { type RawMessage, RawSocket } from "./raw_socket.ts";

/** What is done with the connection of this number, from 0. */
export type Script = (socket: RawSocket, connection: number) => Promise<void>;

export class ScriptedOrigin {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #script: Script;
  readonly #mayFail: boolean;
  readonly #sockets: RawSocket[] = [];
  readonly #accepting: Promise<void>;
  #failure: unknown;
  #isClosing = false;
  /** Connections taken so far. */
  accepted = 0;
  /** Connections that are open. */
  running = 0;

  /** `mayFail`: the other side cuts connections, which the script need not catch. */
  constructor(script: Script, { mayFail = false } = {}) {
    this.#script = script;
    this.#mayFail = mayFail;
    this.#accepting = this.#accept();
  }

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /**
   * Ends every connection.
   * @throws what a script threw before
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.#listener.close();
    for (const socket of this.#sockets) socket.close();
    // Not for the scripts: one may wait for what a test that failed never did.
    await this.#accepting;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #accept(): Promise<void> {
    for (;;) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch {
        return;
      }
      const socket = new RawSocket(connection);
      this.#sockets.push(socket);
      this.#run(socket, this.accepted++);
    }
  }

  async #run(socket: RawSocket, connection: number): Promise<void> {
    this.running++;
    try {
      await this.#script(socket, connection);
    } catch (error) {
      if (!this.#isClosing && !this.#mayFail) this.#failure ??= error;
    }
    socket.close();
    this.running--;
  }
}

/** Answers every request on every connection. */
export function answering(answer: (request: RawMessage) => string | Promise<string>): Script {
  return async (socket) => {
    for (;;) {
      const request = await socket.readRequest();
      if (request === null) return;
      await socket.send(await answer(request));
    }
  };
}

/** A 200 with this body and its length. */
export function ok(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Why `resettingOrigin` does not work here, or empty. */
export function skipWithoutReset(): string {
  return Deno.version.deno.startsWith("2.6.") ? "Deno 2.6 cannot reset a connection" : "";
}

/** An endpoint that sends `answer` to the first bytes of each connection and then resets it. */
export async function resettingOrigin(
  answer: string,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      if (answer === "") socket.resetAndDestroy();
      else socket.write(answer, "latin1", () => socket.resetAndDestroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Not listening");
  return {
    port: address.port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
