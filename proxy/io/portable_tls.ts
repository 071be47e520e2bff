/**
 * TLS of the portable driver, by `node:tls` of Deno 2.9 over a connection of Deno's own. The module is loaded when the
 * first certificate is: it costs 4 MB and 20 ms.
 *
 * Deno 2.9.6 encrypts the tickets of all servers of a process with one key that it never changes, gives them also to clients whose
 * certificates are refused afterwards, and verifies nothing when they come back. So a resumed session counts only with a
 * certificate that was verified here in a whole handshake. As a client it resumes nothing if it is told whom to trust.
 */
import type { Duplex } from "node:stream";
import type { X509Certificate } from "node:crypto";
import type tls from "node:tls";
import { TLS_SERVER_SESSIONS_MAX } from "../limits.ts";
import { IoError } from "./io.ts";
import { nameWithFile } from "./tls.ts";
import type { ClientCertificatePolicy, TlsCertificate } from "../../base/tls.ts";
import type {
  TlsContext,
  TlsFailure,
  TlsFailureCode,
  TlsInfo,
  TlsReplacement,
  TlsSettings,
  TlsTarget,
} from "./tls.ts";
import { CERTIFICATE, pemOf } from "../../base/pem.ts";
import { expiryOf, urisOf } from "../../base/x509.ts";

/** What the portable socket needs of a connection, plain or not. */
export interface ByteStream {
  /** Bytes into `target`; null: the end. Rejects where the stream is broken. */
  read(target: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  /** As `close`, without telling the peer that the end is meant; missing where nothing would tell it. */
  cut?(): void;
}

/** A handshake under way. */
export interface Handshake {
  readonly result: Promise<{ readonly stream: ByteStream; readonly info: TlsInfo } | TlsFailure>;
  /** Closes the connection; the result is then of no interest. */
  abort(): void;
}

type Peer = tls.TLSSocket;

/** Node's modules when they are wanted: to import one, or the object that gives them, would cost every sidecar. */
const builtin = ((name: string) => {
  // deno-lint-ignore no-process-global -- importing it would load it at once
  return process.getBuiltinModule(name);
}) as typeof process.getBuiltinModule;

export class PortableTlsContext implements TlsContext {
  readonly #tls: typeof tls;
  #settings: TlsSettings;
  /** Clients' certificates that those who are trusted now vouch for, by their hash; oldest first. */
  #verified = new Map<string, number>();

  /** @throws {IoError} the certificates are of no use, or this Deno cannot do it */
  constructor(settings: TlsSettings) {
    const [major, minor] = Deno.version.deno.split(".").map(Number);
    if (major === 2 && minor < 9) {
      throw new IoError(
        `Cannot use TLS: the portable driver needs Deno 2.9 for it, this is ${Deno.version.deno}`,
      );
    }
    this.#tls = builtin("node:tls");
    this.#settings = settings;
    this.#check(settings);
  }

  prepare(settings: TlsSettings): TlsReplacement {
    if (settings.role !== this.#settings.role) {
      throw new IoError("Cannot replace certificates by those of another role");
    }
    this.#check(settings);
    return {
      use: () => {
        if (settings.trusted?.pem !== this.#settings.trusted?.pem) this.#verified = new Map();
        this.#settings = settings;
      },
      drop() {},
    };
  }

  close(): void {}

  /** @param raw bytes as the network has them */
  start(raw: ByteStream, target: TlsTarget | null): Handshake {
    const wire = new Wire(raw);
    const duplex = wire.duplex;
    const peer = Promise.withResolvers<Peer>();
    const fail = (error: unknown) => peer.reject(error);
    wire.onEnd = () => fail(new Error("Connection ended in the handshake"));
    // Until the handshake is done; the stream has listeners of its own after it.
    duplex.on("error", fail);
    duplex.on("close", () => fail(new Error("closed")));
    if (this.#settings.role === "server") this.#accept(duplex, peer.resolve, fail);
    else this.#connect(duplex, target, peer.resolve, fail);
    return {
      result: peer.promise.then(
        (secured) => this.#settle(secured, wire, target),
        (error) => {
          duplex.destroy();
          return failureOf(error);
        },
      ),
      abort: () => duplex.destroy(),
    };
  }

  #accept(duplex: Duplex, resolve: (peer: Peer) => void, reject: (error: unknown) => void): void {
    const settings = this.#settings;
    if (settings.role !== "server") return;
    const server = this.#tls.createServer({
      ...this.#credentials(settings),
      ...alpnOptions(settings.alpn),
      requestCert: settings.clientCertificate !== "ignored",
      // Decided below: an optional certificate that cannot be verified is refused as well.
      rejectUnauthorized: false,
      // Its own limit must not come before ours.
      handshakeTimeout: 0x7fffffff,
      allowHalfOpen: true,
    });
    server.once("tlsClientError", reject);
    const verified = this.#verified;
    server.once("secureConnection", (peer: Peer) => {
      const problem = problemOfClient(peer, settings.clientCertificate, verified);
      if (problem === null) return resolve(peer);
      peer.destroy();
      reject(problem);
    });
    // The way that the module documents for streams which are not its own sockets.
    server.emit("connection", duplex);
  }

  #connect(
    duplex: Duplex,
    target: TlsTarget | null,
    resolve: (peer: Peer) => void,
    reject: (error: unknown) => void,
  ): void {
    const serverName = target?.serverName ?? "";
    const isNamed = (target?.uriSans.length ?? 0) === 0;
    const options = {
      ...this.#credentials(this.#settings),
      ...alpnOptions(target?.alpn ?? []),
      socket: duplex,
      servername: /^[\d.]+$|:/.test(serverName) ? "" : serverName,
      checkServerIdentity: (_host: string, certificate: tls.PeerCertificate) =>
        isNamed ? this.#tls.checkServerIdentity(serverName, certificate) : undefined,
      allowHalfOpen: true,
    };
    const peer = this.#tls.connect(options as tls.ConnectionOptions);
    peer.once("secureConnect", () => resolve(peer));
    peer.on("error", reject);
  }

  #settle(
    peer: Peer,
    wire: Wire,
    target: TlsTarget | null,
  ): { readonly stream: ByteStream; readonly info: TlsInfo } | TlsFailure {
    const info = describe(peer, this.#settings.role, target);
    const wanted = target?.uriSans ?? [];
    if (wanted.length > 0 && !wanted.includes(info.peerUriSan)) {
      peer.destroy();
      const is = info.peerUriSan || "without a URI";
      return { code: "tls-identity", detail: `Peer is ${is}, not ${wanted.join(" or ")}` };
    }
    return { stream: new SecureStream(peer, wire), info };
  }

  #credentials({ certificate, trusted, minVersion }: TlsSettings) {
    return {
      ...(certificate && { cert: certificate.chainPem, key: certificate.keyPem }),
      ...(trusted !== null && { ca: certificatesIn(trusted.pem) }),
      minVersion: minVersion === "1.3" ? "TLSv1.3" as const : "TLSv1.2" as const,
    };
  }

  /** Makes everything once, so that what is of no use is found now. */
  #check(settings: TlsSettings): void {
    const { certificate, trusted } = settings;
    if (
      settings.role === "server" && settings.clientCertificate !== "ignored" && trusted === null
    ) {
      throw new IoError("Cannot verify client certificates without trusted certificates");
    }
    if (certificate !== null) checkCertificate(certificate);
    if (trusted !== null) {
      readCertificates(trusted.pem, nameWithFile("the trusted certificates", trusted.file));
    }
  }
}

const UNTRUSTED = "UNABLE_TO_VERIFY_LEAF_SIGNATURE";

/** Why a client is refused after its handshake; null: it is not. `verified`, with when each expires, is added to. */
function problemOfClient(
  peer: Peer,
  policy: ClientCertificatePolicy,
  verified: Map<string, number>,
): { readonly code: string; readonly message?: string } | null {
  if (policy === "ignored") return null;
  const certificate = rawCertificate(peer);
  if (certificate === null) {
    return policy === "required" ? { code: "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE" } : null;
  }
  if (!peer.authorized) return { code: UNTRUSTED, message: String(peer.authorizationError) };
  const hash = builtin("node:crypto").createHash("sha256").update(certificate).digest("base64");
  if (!peer.isSessionReused()) {
    verified.delete(hash);
    verified.set(hash, expiryOf(pemOf(CERTIFICATE, certificate)) ?? 0);
    for (const oldest of verified.keys()) {
      if (verified.size <= TLS_SERVER_SESSIONS_MAX) break;
      verified.delete(oldest);
    }
    return null;
  }
  const untilMs = verified.get(hash);
  if (untilMs !== undefined && Date.now() < untilMs) return null;
  const message = untilMs === undefined
    ? "The session is older than the trust in who vouched for it"
    : "The certificate of the session has expired";
  return { code: UNTRUSTED, message };
}

function checkCertificate({ chainPem, chainFile, keyPem, keyFile }: TlsCertificate): void {
  const chainName = nameWithFile("the certificate", chainFile);
  const keyName = nameWithFile("the private key", keyFile);
  const [own] = readCertificates(chainPem, chainName);
  let key;
  try {
    key = builtin("node:crypto").createPrivateKey(keyPem);
  } catch {
    throw new IoError(`Cannot read ${keyName}: it is not in PEM form, damaged or encrypted`);
  }
  if (!own.checkPrivateKey(key)) {
    throw new IoError(`Cannot use ${keyName} with ${chainName}: key values mismatch`);
  }
}

/** At least one. */
function readCertificates(pem: string, name: string): X509Certificate[] {
  const { X509Certificate } = builtin("node:crypto");
  const found = certificatesIn(pem);
  if (found.length === 0) throw new IoError(`Cannot read ${name}: there is none in PEM form`);
  return found.map((text, index) => {
    try {
      return new X509Certificate(text);
    } catch {
      throw new IoError(`Cannot read ${name}: number ${index + 1} is damaged`);
    }
  });
}

function certificatesIn(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
}

/** An empty list would offer nothing, and be refused by those who insist. */
function alpnOptions(alpn: readonly string[]) {
  return alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {};
}

function rawCertificate(peer: Peer): Uint8Array | null {
  const certificate: Partial<tls.PeerCertificate> | null = peer.getPeerCertificate();
  return certificate?.raw ?? null;
}

function describe(peer: Peer, role: TlsSettings["role"], target: TlsTarget | null): TlsInfo {
  const raw = rawCertificate(peer);
  const uris = raw === null ? [] : urisOf(raw);
  const sent: unknown = Reflect.get(peer, "servername");
  const asked = role === "client" ? target?.serverName : sent;
  return {
    alpn: peer.alpnProtocol || "",
    serverName: typeof asked === "string" ? asked : "",
    peerUriSan: uris.length === 1 ? uris[0] : "",
    peerUriCount: uris.length,
    version: peer.getProtocol() ?? "",
    cipher: peer.getCipher()?.name ?? "",
    isResumed: peer.isSessionReused(),
  };
}

function failureOf(error: unknown): TlsFailure {
  const fields = typeof error === "object" && error !== null ? error : {};
  const code = "code" in fields ? String(fields.code) : "";
  const detail = "message" in fields ? String(fields.message) : code;
  return { code: codeOf(code, detail), detail };
}

function codeOf(code: string, message: string): TlsFailureCode {
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "tls-no-certificate";
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_HTTP_REQUEST") {
    return "tls-plaintext";
  }
  if (/fatal alert/i.test(message)) return "tls-alert";
  if (/CERT|ISSUER|LEAF|SIGNATURE/.test(code)) return "tls-certificate";
  return code.startsWith("ERR_SSL") ? "tls-protocol" : "tls-closed";
}

const READ_BYTES = 16_384;
/** What the module may hold of what is written before the network is waited for. */
const HELD_BYTES = 65_536;

/** The network's side: feeds the module with what arrives, and waits where it holds too much, which it does not do itself. */
class Wire {
  readonly duplex: Duplex;
  /** The network has ended. */
  hasEnded = false;
  /** Told of the end while it is of importance. */
  onEnd: () => void = () => {};
  /** Whether the module is to have more: always in the handshake, later when all that it has decrypted is read. */
  #isHungry = true;
  #isReadDue = false;
  #onWritten: () => void = () => {};
  readonly #raw: ByteStream;
  readonly #buffer = new Uint8Array(READ_BYTES);

  constructor(raw: ByteStream) {
    this.#raw = raw;
    this.duplex = new (builtin("node:stream")).Duplex({
      allowHalfOpen: true,
      read: () => {
        this.#isReadDue = true;
        this.setHungry(this.#isHungry);
      },
      write: (chunk: Uint8Array, _encoding, done) => {
        writeAll(raw, chunk).then(() => done(), done).finally(() => this.#onWritten());
      },
      final: (done) => {
        raw.closeWrite().then(() => done(), () => done());
      },
      destroy: (error, done) => {
        raw.close();
        done(error);
        this.#onWritten();
      },
    });
  }

  /** Says whether more is wanted of the network. */
  setHungry(isHungry: boolean): void {
    this.#isHungry = isHungry;
    if (!isHungry || !this.#isReadDue) return;
    this.#isReadDue = false;
    this.#read();
  }

  /** Resolves once the network has taken enough for more to be written. */
  async untilWritten(): Promise<void> {
    while (this.duplex.writableLength > HELD_BYTES && !this.duplex.destroyed) {
      await new Promise<void>((resolve) => this.#onWritten = resolve);
    }
  }

  async #read(): Promise<void> {
    try {
      const count = await this.#raw.read(this.#buffer);
      if (count !== null) this.duplex.push(this.#buffer.slice(0, count));
      // What came before it is looked at first: the peer may have said that this is the end.
      else setTimeout(() => this.#end(), 0);
    } catch (error) {
      this.duplex.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(): void {
    this.hasEnded = true;
    this.duplex.push(null);
    this.onEnd();
  }
}

async function writeAll(raw: ByteStream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await raw.write(bytes.subarray(at));
}

/** The decrypted side. */
class SecureStream implements ByteStream {
  readonly #peer: Peer;
  readonly #wire: Wire;
  #rest: Uint8Array = new Uint8Array(0);
  #end: "no" | "meant" | "cut" = "no";
  #wake: () => void = () => {};

  constructor(peer: Peer, wire: Wire) {
    this.#peer = peer;
    this.#wire = wire;
    const end = (how: "meant" | "cut") => {
      if (this.#end === "no") this.#end = how;
      this.#wake();
    };
    const push = peer.push.bind(peer);
    // The module tells of both ends alike. One that comes before the network's own was announced by the peer.
    peer.push = (chunk: unknown, encoding?: Parameters<typeof push>[1]) => {
      if (chunk === null) end(wire.hasEnded ? "cut" : "meant");
      return push(chunk, encoding);
    };
    peer.on("readable", () => this.#wake());
    peer.on("error", () => end("cut"));
    peer.on("close", () => end("cut"));
    // At times Deno 2.9.6 tells of no end at all where the network's comes without an announcement.
    wire.duplex.once("end", () => setTimeout(() => end("cut"), 0));
  }

  async read(target: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#rest.length === 0) this.#rest = this.#peer.read() ?? this.#rest;
      this.#wire.setHungry(this.#rest.length === 0);
      if (this.#rest.length > 0) {
        const count = Math.min(this.#rest.length, target.length);
        target.set(this.#rest.subarray(0, count));
        this.#rest = this.#rest.subarray(count);
        return count;
      }
      if (this.#end === "meant") return null;
      if (this.#end === "cut") throw new Error("The connection was cut");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#peer.write(bytes, (error) => error ? reject(error) : resolve());
    });
    await this.#wire.untilWritten();
    return bytes.length;
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#peer.end(resolve));
  }

  cut(): void {
    this.#wire.duplex.destroy();
  }

  close(): void {
    // Tells the peer first.
    this.#peer.end(() => this.#peer.destroy());
  }
}
