/**
 * A port of a pod as a port of this machine, through the API server. Each connection is a WebSocket of its own, whose messages begin with
 * the number of a channel: 0 is the connection, 1 says what is wrong with it; the first message of each names the port.
 */
import { withDeadline } from "../../base/deadline.ts";
import { FORWARD_BYTES_MAX, FORWARD_OPEN_MS } from "../limits.ts";
import type { KubeClient } from "./client.ts";

const PROTOCOL = "v4.channel.k8s.io";
const DATA = 0;
const ERROR = 1;

interface Target {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

export class PortForward implements Disposable {
  readonly #client: KubeClient;
  readonly #path: string;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.TcpConn>();
  #problem: string | null = null;

  constructor(client: KubeClient, { namespace, pod, port }: Target) {
    this.#client = client;
    this.#path = `/api/v1/namespaces/${namespace}/pods/${pod}/portforward?ports=${port}`;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void this.#accept();
  }

  /** HOST:PORT on this machine. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** What went wrong on the way to the pod; null: nothing. */
  get problem(): string | null {
    return this.#problem;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#open) end(connection);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      this.#carry(connection)
        .catch((error) => this.#problem ??= error instanceof Error ? error.message : String(error))
        .finally(() => {
          this.#open.delete(connection);
          end(connection);
        });
    }
  }

  /** Until either side ends. */
  async #carry(connection: Deno.TcpConn): Promise<void> {
    const socket = await this.#client.socket(this.#path, PROTOCOL);
    socket.binaryType = "arraybuffer";
    try {
      const received = this.#receive(socket, connection);
      received.catch(() => {});
      await opened(socket);
      await Promise.race([received, sendAll(connection, socket)]);
      // What the application still says, it says before it closes.
      await received;
    } finally {
      socket.close();
    }
  }

  #receive(socket: WebSocket, connection: Deno.TcpConn): Promise<void> {
    const isBegun = [false, false];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let written = Promise.resolve();
    socket.addEventListener("message", ({ data }: MessageEvent<ArrayBuffer>) => {
      const [channel] = new Uint8Array(data);
      const bytes = new Uint8Array(data, 1);
      const isNumber = !isBegun[channel];
      isBegun[channel] = true;
      if (isNumber || bytes.length === 0) return;
      if (channel === ERROR) this.#problem ??= new TextDecoder().decode(bytes);
      if (channel === DATA) written = written.then(() => writeAll(connection, bytes));
      written.catch(reject);
    });
    socket.addEventListener("close", () => written.then(resolve, reject));
    return promise;
  }
}

async function opened(socket: WebSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener("open", () => resolve());
  socket.addEventListener("error", (event) => {
    reject(new Error(event instanceof ErrorEvent ? event.message : "The API server refused"));
  });
  await withDeadline(promise, FORWARD_OPEN_MS, () => {
    throw new Error(`The API server did not open a way to the pod within ${FORWARD_OPEN_MS} ms`);
  });
}

/** Until the connection has ended on this side. */
async function sendAll(connection: Deno.TcpConn, socket: WebSocket): Promise<void> {
  for await (const chunk of connection.readable.values({ preventCancel: true })) {
    while (socket.bufferedAmount > FORWARD_BYTES_MAX) await drained();
    if (socket.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(chunk.length + 1);
    message[0] = DATA;
    message.set(chunk, 1);
    socket.send(message);
  }
  socket.close();
}

/** A WebSocket does not say when it has room again. */
function drained(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
}

function end(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It has ended by itself.
  }
}
