/** MortalServer: an endpoint of the soak that takes connections until it dies, and comes back where it was. */
import { freePort } from "../support/free_port.ts";
import type { Endpoint } from "./tally.ts";

export abstract class MortalServer implements Endpoint {
  readonly port: number;
  readonly #connections = new Set<Deno.TcpConn>();
  #listener = Deno.listen({ hostname: "127.0.0.1", port: freePort() });

  constructor() {
    this.port = this.#listener.addr.port;
    this.#accept(this.#listener);
  }

  die(): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  comeBack(): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#accept(this.#listener);
  }

  /** Serves a connection to its end. What it throws ends the connection. */
  protected abstract serve(connection: Deno.TcpConn): Promise<void>;

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const connection of listener) {
        connection.setNoDelay();
        this.#connections.add(connection);
        this.#run(connection);
      }
    } catch {
      // It died.
    }
  }

  async #run(connection: Deno.TcpConn): Promise<void> {
    try {
      await this.serve(connection);
    } catch {
      // It died, or the proxy has.
    }
    if (this.#connections.delete(connection)) connection.close();
  }
}

export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
