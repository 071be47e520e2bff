/**
 * OpensslContext: certificates and rules of one role, as an SSL_CTX. Replacing them makes a new one; the old one lives
 * as long as connections use it. Knows nothing of descriptors.
 */
import { parseIp } from "../../base/ip.ts";
import { expiryOf } from "../../base/x509.ts";
import { TLS_CLIENT_SESSIONS_MAX, TLS_SERVER_SESSIONS_MAX } from "../limits.ts";
import { IoError } from "./io.ts";
import * as lib from "./libc_openssl.ts";
import type { Openssl, Pointer } from "./libc_openssl.ts";
import { isOfExpired } from "./openssl_peer.ts";
import { nameWithFile, TICKET_KEY_BYTES } from "./tls.ts";
import type { TlsCertificate } from "../../base/tls.ts";
import type { TlsContext, TlsReplacement, TlsSettings, TlsTarget } from "./tls.ts";

/** TLS 1.2 with forward secrecy and authenticated encryption only (RFC 9325 4.2); 1.3 has nothing else. */
const CIPHERS_TLS12 = "ECDHE+AESGCM:ECDHE+CHACHA20";
/** Sessions are resumed among connections that verify clients the same way; replacing makes new ticket keys. */
const SESSION_ID_CONTEXT = new TextEncoder().encode("weft");

export class OpensslContext implements TlsContext {
  readonly #openssl: Openssl;
  #settings: TlsSettings;
  #context: Pointer;
  #alpn: lib.AlpnChoice | null = null;
  /** Clients: the last session with each target, oldest first. */
  readonly #sessions = new Map<TlsTarget, Pointer>();
  /** When its own certificate expires; `Infinity`: it has none. */
  #expiresAtMs: number;
  #isOpen = true;

  /** @throws {IoError} the certificates are of no use; the message is fit for a user */
  constructor(openssl: Openssl, settings: TlsSettings) {
    this.#openssl = openssl;
    this.#settings = settings;
    if (settings.role === "server" && settings.alpn.length > 0) {
      this.#alpn = new lib.AlpnChoice(openssl, wireAlpn(settings.alpn));
    }
    try {
      this.#context = this.#build(settings);
      this.#expiresAtMs = expiryIn(settings);
    } catch (error) {
      this.#alpn?.close();
      throw error;
    }
  }

  get role(): "server" | "client" {
    return this.#settings.role;
  }

  /** The SSL of a new connection. */
  open(target: TlsTarget | null): Pointer {
    const c = this.#openssl;
    const ssl = c.SSL_new(this.#context);
    if (ssl === null) throw new Error("OpenSSL has no memory for a connection");
    if (this.role === "server") c.SSL_set_accept_state(ssl);
    else {
      c.SSL_set_connect_state(ssl);
      if (target !== null) this.#aim(ssl, target);
    }
    return ssl;
  }

  /** Keeps the session of a client's connection for the next one to the same target. */
  keepSession(target: TlsTarget, ssl: Pointer): void {
    const c = this.#openssl;
    const session = c.SSL_get1_session(ssl);
    if (session === null) return;
    if (!this.#isOpen || c.SSL_SESSION_is_resumable(session) !== 1) {
      c.SSL_SESSION_free(session);
      return;
    }
    this.#dropSession(target);
    this.#sessions.set(target, session);
    if (this.#sessions.size <= TLS_CLIENT_SESSIONS_MAX) return;
    for (const oldest of this.#sessions.keys()) {
      this.#dropSession(oldest);
      break;
    }
  }

  prepare(settings: TlsSettings): TlsReplacement {
    if (settings.role !== this.role) {
      throw new IoError("Cannot replace certificates by those of another role");
    }
    const next = this.#build(settings);
    return {
      use: () => {
        this.#openssl.SSL_CTX_free(this.#context);
        this.#dropSessions();
        this.#context = next;
        this.#settings = settings;
        this.#expiresAtMs = expiryIn(settings);
      },
      drop: () => this.#openssl.SSL_CTX_free(next),
    };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#dropSessions();
    this.#openssl.SSL_CTX_free(this.#context);
    this.#alpn?.close();
  }

  #aim(ssl: Pointer, target: TlsTarget): void {
    const c = this.#openssl;
    const { serverName, uriSans, alpn } = target;
    if (alpn.length > 0) {
      const offered = wireAlpn(alpn);
      c.SSL_set_alpn_protos(ssl, offered, offered.length);
    }
    if (serverName !== null) {
      const name = lib.cString(serverName);
      const isAddress = parseIp(serverName) !== null;
      if (!isAddress) c.SSL_ctrl(ssl, lib.SSL_CTRL_SET_TLSEXT_HOSTNAME, 0n, name);
      if (uriSans.length === 0) {
        c.SSL_set_hostflags(ssl, lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const isSet = isAddress
          ? c.X509_VERIFY_PARAM_set1_ip_asc(c.SSL_get0_param(ssl), name)
          : c.SSL_set1_host(ssl, name);
        if (isSet !== 1) throw new Error(`OpenSSL cannot check the name ${serverName}`);
      }
    }
    const session = this.#sessions.get(target);
    if (session === undefined) return;
    // An end that has expired is verified anew: it is refused, and says so.
    const isOver = Date.now() >= this.#expiresAtMs || isOfExpired(c, session);
    if (isOver) this.#dropSession(target);
    else c.SSL_set_session(ssl, session);
  }

  #build(settings: TlsSettings): Pointer {
    const c = this.#openssl;
    const method = settings.role === "server" ? c.TLS_server_method() : c.TLS_client_method();
    const context = c.SSL_CTX_new(method);
    if (context === null) throw new IoError(`Cannot use TLS: ${this.#problem()}`);
    try {
      this.#setRules(context, settings);
      if (settings.certificate !== null) this.#useCertificate(context, settings.certificate);
      this.#setTrust(context, settings);
      if (settings.role === "server" && settings.ticketKeys !== null) {
        this.#useTicketKeys(context, settings.ticketKeys);
      }
    } catch (error) {
      c.SSL_CTX_free(context);
      throw error;
    }
    return context;
  }

  #setRules(context: Pointer, { role, minVersion }: TlsSettings): void {
    const c = this.#openssl;
    const control = (command: number, value: number) =>
      c.SSL_CTX_ctrl(context, command, BigInt(value), null);
    control(
      lib.SSL_CTRL_SET_MIN_PROTO_VERSION,
      minVersion === "1.3" ? lib.TLS1_3_VERSION : lib.TLS1_2_VERSION,
    );
    // A second handshake within a connection is for those who want to keep a server busy.
    c.SSL_CTX_set_options(
      context,
      lib.SSL_OP_NO_COMPRESSION | lib.SSL_OP_NO_RENEGOTIATION |
        lib.SSL_OP_CIPHER_SERVER_PREFERENCE,
    );
    control(
      lib.SSL_CTRL_MODE,
      lib.SSL_MODE_ENABLE_PARTIAL_WRITE | lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
        lib.SSL_MODE_RELEASE_BUFFERS,
    );
    // A call that reads returns after what it had to do besides, or a peer could keep the loop in it with key updates.
    control(lib.SSL_CTRL_CLEAR_MODE, lib.SSL_MODE_AUTO_RETRY);
    // One system call for a record in place of two.
    control(lib.SSL_CTRL_SET_READ_AHEAD, 1);
    c.SSL_CTX_set_cipher_list(context, lib.cString(CIPHERS_TLS12));
    if (role === "server") {
      c.SSL_CTX_set_session_id_context(context, SESSION_ID_CONTEXT, SESSION_ID_CONTEXT.length);
      control(lib.SSL_CTRL_SET_SESS_CACHE_SIZE, TLS_SERVER_SESSIONS_MAX);
      // Clients of a mesh keep their connections; a second ticket would cost each handshake a record.
      c.SSL_CTX_set_num_tickets(context, 1n);
      if (this.#alpn !== null) c.SSL_CTX_set_alpn_select_cb(context, this.#alpn.pointer, null);
    }
  }

  #useCertificate(context: Pointer, certificate: TlsCertificate): void {
    const c = this.#openssl;
    const chainName = nameWithFile("the certificate", certificate.chainFile);
    const keyName = nameWithFile("the private key", certificate.keyFile);
    const [own, ...issuers] = this.#certificates(certificate.chainPem, chainName);
    try {
      if (c.SSL_CTX_use_certificate(context, own) !== 1) {
        throw new IoError(`Cannot use ${chainName}: ${this.#problem()}`);
      }
      for (const issuer of issuers) {
        // 1: with a reference of its own.
        c.SSL_CTX_add_chain_certificate(context, lib.SSL_CTRL_CHAIN_CERT, 1n, issuer);
      }
    } finally {
      for (const certificate of [own, ...issuers]) c.X509_free(certificate);
    }
    const key = this.#privateKey(certificate.keyPem, keyName);
    try {
      const isUsed = c.SSL_CTX_use_PrivateKey(context, key) === 1 &&
        c.SSL_CTX_check_private_key(context) === 1;
      if (!isUsed) throw new IoError(`Cannot use ${keyName} with ${chainName}: ${this.#problem()}`);
    } finally {
      c.EVP_PKEY_free(key);
    }
  }

  #setTrust(context: Pointer, settings: TlsSettings): void {
    const c = this.#openssl;
    const { role, trusted } = settings;
    if (role === "server" && settings.clientCertificate === "ignored") return;
    if (trusted !== null) {
      const name = nameWithFile("the trusted certificates", trusted.file);
      const store = c.SSL_CTX_get_cert_store(context);
      for (const authority of this.#certificates(trusted.pem, name)) {
        c.X509_STORE_add_cert(store, authority);
        if (role === "server") c.SSL_CTX_add_client_CA(context, authority);
        c.X509_free(authority);
      }
    } else if (role === "client") c.SSL_CTX_set_default_verify_paths(context);
    else throw new IoError("Cannot verify client certificates without trusted certificates");
    // What is trusted need not be a root.
    c.X509_VERIFY_PARAM_set_flags(c.SSL_CTX_get0_param(context), lib.X509_V_FLAG_PARTIAL_CHAIN);
    const isRequired = role === "server" && settings.clientCertificate === "required";
    const mode = lib.SSL_VERIFY_PEER | (isRequired ? lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    c.SSL_CTX_set_verify(context, mode, null);
  }

  #useTicketKeys(context: Pointer, base64: string): void {
    const keys = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    if (keys.length !== TICKET_KEY_BYTES) {
      throw new IoError(
        `Cannot use ticket keys of ${keys.length} bytes: ${TICKET_KEY_BYTES} are wanted`,
      );
    }
    const length = BigInt(keys.length);
    this.#openssl.SSL_CTX_ctrl(context, lib.SSL_CTRL_SET_TLSEXT_TICKET_KEYS, length, keys);
  }

  /** At least one; the caller frees them. */
  #certificates(pem: string, what: string): [Pointer, ...Pointer[]] {
    const c = this.#openssl;
    const bytes = new TextEncoder().encode(pem);
    const bio = c.BIO_new_mem_buf(bytes, bytes.length);
    const found: Pointer[] = [];
    for (;;) {
      const certificate = c.PEM_read_bio_X509(bio, null, null, null);
      if (certificate === null) break;
      found.push(certificate);
    }
    c.BIO_free(bio);
    // Reading ends with an error always: that there is no other one.
    c.ERR_clear_error();
    const wanted = pem.split("-----BEGIN CERTIFICATE-----").length - 1;
    const [first, ...others] = found;
    if (first !== undefined && found.length === wanted) return [first, ...others];
    for (const certificate of found) c.X509_free(certificate);
    throw new IoError(
      found.length === 0
        ? `Cannot read ${what}: there is none in PEM form`
        : `Cannot read ${what}: number ${found.length + 1} is damaged`,
    );
  }

  #privateKey(pem: string, name: string): Pointer {
    const c = this.#openssl;
    const bytes = new TextEncoder().encode(pem);
    const bio = c.BIO_new_mem_buf(bytes, bytes.length);
    // An empty password, or OpenSSL would ask the terminal for that of an encrypted key.
    const key = c.PEM_read_bio_PrivateKey(bio, null, null, lib.cString(""));
    c.BIO_free(bio);
    if (key !== null) return key;
    c.ERR_clear_error();
    throw new IoError(`Cannot read ${name}: it is not in PEM form, damaged or encrypted`);
  }

  /** What OpenSSL says is wrong. Forgets it. */
  #problem(): string {
    const c = this.#openssl;
    const text = lib.textAt(c.ERR_reason_error_string(c.ERR_peek_error()));
    c.ERR_clear_error();
    return text || "OpenSSL does not say why";
  }

  #dropSession(target: TlsTarget): void {
    const session = this.#sessions.get(target);
    if (session === undefined) return;
    this.#sessions.delete(target);
    this.#openssl.SSL_SESSION_free(session);
  }

  #dropSessions(): void {
    for (const target of this.#sessions.keys()) this.#dropSession(target);
  }
}

function expiryIn({ certificate }: TlsSettings): number {
  return certificate === null ? Infinity : expiryOf(certificate.chainPem) ?? Infinity;
}

/** Each name after its length, in a byte. */
function wireAlpn(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  return Uint8Array.from(names.flatMap((name) => {
    const bytes = encoder.encode(name);
    return [bytes.length, ...bytes];
  }));
}
