/**
 * What the cases of `io_cases.ts` work with: both ends of a connection under TLS, served by one driver, with or without
 * a relay of plain bytes between them that can do what networks do.
 */
import type {
  TlsClientSettings,
  TlsContext,
  TlsFailure,
  TlsInfo,
  TlsServerSettings,
  TlsTarget,
} from "../../proxy/io/tls.ts";
import { Bench, Reader } from "../conformance/bench.ts";
import { testCertificates } from "./certificates.ts";

/** Reads what comes, and notes what it is told of TLS. */
export class SecureReader extends Reader {
  info: TlsInfo | null = null;
  failure: TlsFailure | null = null;

  onSecured(info: TlsInfo): void {
    this.info = info;
  }

  override onHangup(failure?: TlsFailure): void {
    this.failure = failure ?? null;
    super.onHangup();
  }

  /** The handshake has come to an end of either kind. */
  get isDone(): boolean {
    return this.info !== null || this.isBroken;
  }
}

interface Ends {
  readonly client: SecureReader;
  readonly server: SecureReader;
}

export class TlsBench extends Bench {
  readonly certificates = testCertificates();
  readonly #contexts: TlsContext[] = [];
  readonly #closings: (() => void)[] = [];

  server(settings: Partial<TlsServerSettings> = {}): TlsContext {
    return this.#open({ ...this.serverSettings(), ...settings });
  }

  serverSettings(): TlsServerSettings {
    return {
      role: "server",
      certificate: this.certificates.server,
      clientCertificate: "ignored",
      trusted: null,
      alpn: ["h2", "http/1.1"],
      minVersion: "1.2",
      ticketKeys: null,
    };
  }

  client(settings: Partial<TlsClientSettings> = {}): TlsContext {
    return this.#open({
      role: "client",
      certificate: null,
      trusted: { pem: this.certificates.authority.chainPem },
      minVersion: "1.2",
      ...settings,
    });
  }

  /** Of a server that wants its clients' certificates. */
  mutual() {
    return {
      clientCertificate: "required",
      trusted: { pem: this.certificates.authority.chainPem },
    } as const;
  }

  /** A connection between two ends, from `connect` on. `via` stands between them. */
  connectEnds(
    contexts: {
      readonly server: TlsContext;
      readonly client: TlsContext | null;
      readonly target?: TlsTarget;
    },
    via: (port: number) => number = (port) => port,
    step?: number,
  ): Ends {
    const { io } = this;
    const server = new SecureReader(io, step);
    const listener = io.listen("127.0.0.1", 0, {
      onAccept(fd) {
        server.fd = fd;
        io.watch(fd, server);
        io.secure(fd, contexts.server, null);
        io.close(listener.fd);
      },
      onFault(error) {
        throw error;
      },
    });
    const client = new SecureReader(io, step);
    client.fd = io.connect(io.address("127.0.0.1", via(listener.port)), client);
    if (contexts.client !== null) {
      io.secure(client.fd, contexts.client, contexts.target ?? LOCALHOST);
    }
    return { client, server };
  }

  /** As `connectEnds`, once both have come to an end of the handshake. */
  async ends(...given: Parameters<TlsBench["connectEnds"]>): Promise<Ends> {
    const ends = this.connectEnds(...given);
    await this.until(() => ends.client.isDone && ends.server.isDone, "both ends of the handshake");
    return ends;
  }

  /** Both ends with nothing out of the ordinary. */
  async securedEnds(step?: number): Promise<Ends> {
    const contexts = { server: this.server(), client: this.client() };
    const ends = await this.ends(contexts, undefined, step);
    for (const end of [ends.client, ends.server]) {
      if (end.info === null) throw new Error(`No TLS: ${end.failure?.detail}`);
      this.io.wantWrite(end.fd, false);
    }
    return ends;
  }

  override async end(): Promise<void> {
    for (const close of this.#closings.toReversed()) close();
    await super.end();
    for (const context of this.#contexts) context.close();
  }

  /** Sweeps often; returns how many there were. */
  sweepEvery(intervalMs: number): () => number {
    let count = 0;
    this.io.onSweep(intervalMs, () => void count++);
    return () => count;
  }

  /** Lets the driver's clock jump. */
  skip(durationMs: number): void {
    const now = performance.now;
    performance.now = () => now.call(performance) + durationMs;
    this.atEnd(() => performance.now = now);
  }

  atEnd(close: () => void): void {
    this.#closings.push(close);
  }

  #open(settings: TlsServerSettings | TlsClientSettings): TlsContext {
    const context = this.io.tls(settings);
    this.#contexts.push(context);
    return context;
  }
}

export const LOCALHOST: TlsTarget = {
  serverName: "localhost",
  uriSans: [],
  alpn: ["http/1.1"],
};

/** Copies bytes both ways until it is told to end the connection to the client without a word of TLS. */
export class Relay {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #ends: Deno.TcpConn[] = [];
  bytes = 0;

  constructor(bench: TlsBench) {
    bench.atEnd(() => this.close());
  }

  /** The port to connect to in place of `port`. */
  via(port: number): number {
    this.#run(port);
    return this.#listener.addr.port;
  }

  /** FIN to both ends. */
  close(): void {
    for (const end of this.#ends.splice(0)) {
      try {
        end.close();
      } catch {
        // It has ended by itself.
      }
    }
    try {
      this.#listener.close();
    } catch {
      // Closed once before.
    }
  }

  async #run(port: number): Promise<void> {
    try {
      const client = await this.#listener.accept();
      this.#ends.push(client);
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      this.#ends.push(server);
      await Promise.all([this.#copy(client, server), this.#copy(server, client)]);
    } catch {
      // Closed.
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) return;
      this.bytes += count;
      for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
    }
  }
}

/** One thing that a driver does with TLS. */
export interface TlsCase {
  readonly name: string;
  /** As a client, `node:tls` of Deno 2.9 keeps none. */
  readonly needsSessions?: true;
  run(bench: TlsBench): Promise<void> | void;
}
