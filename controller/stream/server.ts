/**
 * StreamServer: the TLS port that proxies connect to. Its certificate is read again from its files; connections that there are stay as
 * they are.
 */
import { pause } from "../../base/backoff.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { Log } from "../../base/log.ts";
import type { MeshParts } from "../../routing/source/mesh.ts";
import { readText } from "../../base/read_text.ts";
import {
  CERTIFICATE_READ_MS,
  CONNECTIONS_MAX,
  RETRY_MS_MIN,
  STRANGERS_MAX,
  STREAM_END_MS,
} from "../limits.ts";
import type { IdentityIssuer } from "../identity/identity_issuer.ts";
import type { ControllerCounts } from "../metrics.ts";
import { ProxyConnection, type ProxyEvents } from "./proxy_connection.ts";
import type { TokenReviews } from "./token_reviews.ts";

interface StreamParts {
  readonly address: string;
  readonly port: number;
  readonly certFile: string;
  readonly keyFile: string;
  readonly mesh: MeshParts;
  readonly identity: IdentityIssuer;
  /** Null: tokens are not looked at. */
  readonly tokens: TokenReviews | null;
  readonly counts: ControllerCounts;
  readonly events: ProxyEvents;
  readonly log: Log;
}

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class StreamServer {
  readonly #parts: StreamParts;
  readonly #connections = new Set<ProxyConnection>();
  readonly #strangers = new Set<ProxyConnection>();
  readonly #ended = new AbortController();
  readonly #serving = new Set<Promise<void>>();
  #listener: Deno.TlsListener | null = null;
  #certificate: Certificate = { cert: "", key: "" };

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  /**
   * The port it listens on.
   * @throws {Error} the certificate is of no use, or the address is taken
   */
  async start(): Promise<number> {
    this.#certificate = await this.#readCertificate();
    const port = this.#listen(this.#parts.port);
    this.#follow(port);
    return port;
  }

  /** Resolves once no connection is left. */
  async stop(): Promise<void> {
    this.#ended.abort();
    this.#listener?.close();
    this.#listener = null;
    for (const connection of this.#connections) connection.end("stop");
    await withDeadline(Promise.all([...this.#serving]), STREAM_END_MS, () => []);
  }

  #listen(port: number): number {
    const listener = Deno.listenTls({
      hostname: this.#parts.address,
      port,
      ...this.#certificate,
    });
    this.#listener = listener;
    this.#accept(listener);
    return listener.addr.port;
  }

  async #accept(listener: Deno.TlsListener): Promise<void> {
    while (this.#listener === listener) {
      try {
        this.#take(await listener.accept());
      } catch (error) {
        if (this.#listener !== listener) return;
        const reason = error instanceof Error ? error.message : String(error);
        this.#parts.log.warn("Cannot accept a connection", { reason });
        await pause(RETRY_MS_MIN, this.#ended.signal);
      }
    }
  }

  #take(connection: Deno.TlsConn): void {
    const { mesh, identity, tokens, counts, log, events } = this.#parts;
    const proxy = new ProxyConnection({
      ...{ connection, mesh, identity, tokens, counts, log },
      events: {
        came: (known) => {
          this.#strangers.delete(known);
          events.came(known);
        },
        acknowledged: (known) => events.acknowledged(known),
        went: (known) => events.went(known),
      },
    });
    const isFull = this.#connections.size >= CONNECTIONS_MAX ||
      this.#strangers.size >= STRANGERS_MAX;
    this.#connections.add(proxy);
    this.#strangers.add(proxy);
    const serving = proxy.serve().finally(() => {
      this.#connections.delete(proxy);
      this.#strangers.delete(proxy);
      this.#serving.delete(serving);
    });
    this.#serving.add(serving);
    if (isFull) proxy.end("full");
  }

  async #readCertificate(): Promise<Certificate> {
    const { certFile, keyFile } = this.#parts;
    const [cert, key] = await Promise.all([readText(certFile), readText(keyFile)]);
    return { cert, key };
  }

  async #follow(port: number): Promise<void> {
    const { signal } = this.#ended;
    const { log } = this.#parts;
    while (!signal.aborted) {
      // A port is free a moment after what listened on it was closed.
      await pause(this.#listener === null ? RETRY_MS_MIN : CERTIFICATE_READ_MS, signal);
      if (signal.aborted) return;
      try {
        const now = await this.#readCertificate();
        const { cert, key } = this.#certificate;
        if (now.cert === cert && now.key === key && this.#listener !== null) continue;
        // One that is of no use must not take the place of one that is.
        Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...now }).close();
        this.#listener?.close();
        this.#listener = null;
        this.#certificate = now;
        this.#listen(port);
        log.info("Certificate replaced");
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const message = this.#listener === null ? "Cannot listen" : "Certificate kept";
        log.warn(message, { reason });
      }
    }
  }
}
