/**
 * OpenSSL 3: the symbols and constants that TLS in the native driver uses, and the few places where a C pointer is looked behind.
 * What is called for every record takes i32s and pointers that are made once, so V8 makes fast calls of it. The rest is called
 * for a handshake or for a certificate.
 */
import { openLibrary } from "./libc.ts";

const SSL_SYMBOLS = {
  TLS_client_method: { parameters: [], result: "pointer" },
  TLS_server_method: { parameters: [], result: "pointer" },
  SSL_CTX_new: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_free: { parameters: ["pointer"], result: "void" },
  SSL_CTX_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i64" },
  SSL_CTX_set_options: { parameters: ["pointer", "u64"], result: "u64" },
  SSL_CTX_set_cipher_list: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_CTX_use_certificate: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_use_PrivateKey: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_check_private_key: { parameters: ["pointer"], result: "i32" },
  SSL_CTX_add_chain_certificate: {
    name: "SSL_CTX_ctrl",
    parameters: ["pointer", "i32", "i64", "pointer"],
    result: "i64",
  },
  SSL_CTX_set_default_verify_paths: { parameters: ["pointer"], result: "i32" },
  SSL_CTX_get_cert_store: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_get0_param: { parameters: ["pointer"], result: "pointer" },
  SSL_CTX_set_verify: { parameters: ["pointer", "i32", "pointer"], result: "void" },
  SSL_CTX_add_client_CA: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_CTX_set_session_id_context: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_CTX_set_num_tickets: { parameters: ["pointer", "usize"], result: "i32" },
  SSL_set_alpn_protos: { parameters: ["pointer", "buffer", "u32"], result: "i32" },
  SSL_CTX_set_alpn_select_cb: {
    parameters: ["pointer", "function", "pointer"],
    result: "void",
  },
  SSL_select_next_proto: {
    parameters: ["pointer", "pointer", "buffer", "u32", "pointer", "u32"],
    result: "i32",
  },
  SSL_new: { parameters: ["pointer"], result: "pointer" },
  SSL_free: { parameters: ["pointer"], result: "void" },
  SSL_set_fd: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_get_rbio: { parameters: ["pointer"], result: "pointer" },
  SSL_set_accept_state: { parameters: ["pointer"], result: "void" },
  SSL_set_connect_state: { parameters: ["pointer"], result: "void" },
  SSL_ctrl: { parameters: ["pointer", "i32", "i64", "buffer"], result: "i64" },
  SSL_set1_host: { parameters: ["pointer", "buffer"], result: "i32" },
  SSL_set_hostflags: { parameters: ["pointer", "u32"], result: "void" },
  SSL_get0_param: { parameters: ["pointer"], result: "pointer" },
  SSL_set_session: { parameters: ["pointer", "pointer"], result: "i32" },
  SSL_get1_session: { parameters: ["pointer"], result: "pointer" },
  SSL_get_session: { parameters: ["pointer"], result: "pointer" },
  SSL_SESSION_is_resumable: { parameters: ["pointer"], result: "i32" },
  SSL_SESSION_get_max_fragment_length: { parameters: ["pointer"], result: "u8" },
  SSL_SESSION_get0_peer: { parameters: ["pointer"], result: "pointer" },
  SSL_SESSION_free: { parameters: ["pointer"], result: "void" },
  SSL_do_handshake: { parameters: ["pointer"], result: "i32" },
  SSL_get_error: { parameters: ["pointer", "i32"], result: "i32" },
  SSL_get_verify_result: { parameters: ["pointer"], result: "i64" },
  SSL_get0_alpn_selected: { parameters: ["pointer", "buffer", "buffer"], result: "void" },
  SSL_get_servername: { parameters: ["pointer", "i32"], result: "pointer" },
  SSL_get_version: { parameters: ["pointer"], result: "pointer" },
  SSL_get_current_cipher: { parameters: ["pointer"], result: "pointer" },
  SSL_CIPHER_get_name: { parameters: ["pointer"], result: "pointer" },
  SSL_session_reused: { parameters: ["pointer"], result: "i32" },
  SSL_get1_peer_certificate: { parameters: ["pointer"], result: "pointer" },
  SSL_read: { parameters: ["pointer", "pointer", "i32"], result: "i32" },
  SSL_peek: { parameters: ["pointer", "pointer", "i32"], result: "i32" },
  SSL_write: { parameters: ["pointer", "pointer", "i32"], result: "i32" },
  SSL_has_pending: { parameters: ["pointer"], result: "i32" },
  SSL_shutdown: { parameters: ["pointer"], result: "i32" },
} as const;

const CRYPTO_SYMBOLS = {
  BIO_new_mem_buf: { parameters: ["buffer", "i32"], result: "pointer" },
  BIO_number_read: { parameters: ["pointer"], result: "u64" },
  BIO_free: { parameters: ["pointer"], result: "i32" },
  PEM_read_bio_X509: {
    parameters: ["pointer", "pointer", "pointer", "pointer"],
    result: "pointer",
  },
  PEM_read_bio_PrivateKey: {
    parameters: ["pointer", "pointer", "pointer", "buffer"],
    result: "pointer",
  },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  X509_free: { parameters: ["pointer"], result: "void" },
  X509_get0_notAfter: { parameters: ["pointer"], result: "pointer" },
  X509_cmp_current_time: { parameters: ["pointer"], result: "i32" },
  X509_STORE_add_cert: { parameters: ["pointer", "pointer"], result: "i32" },
  X509_VERIFY_PARAM_set_flags: { parameters: ["pointer", "u64"], result: "i32" },
  X509_VERIFY_PARAM_set1_ip_asc: { parameters: ["pointer", "buffer"], result: "i32" },
  X509_verify_cert_error_string: { parameters: ["i64"], result: "pointer" },
  X509_get_ext_d2i: { parameters: ["pointer", "i32", "pointer", "pointer"], result: "pointer" },
  GENERAL_NAMES_free: { parameters: ["pointer"], result: "void" },
  GENERAL_NAME_get0_value: { parameters: ["pointer", "buffer"], result: "pointer" },
  OPENSSL_sk_num: { parameters: ["pointer"], result: "i32" },
  OPENSSL_sk_value: { parameters: ["pointer", "i32"], result: "pointer" },
  ASN1_STRING_get0_data: { parameters: ["pointer"], result: "pointer" },
  ASN1_STRING_length: { parameters: ["pointer"], result: "i32" },
  ERR_peek_error: { parameters: [], result: "u64" },
  ERR_clear_error: { parameters: [], result: "void" },
  ERR_reason_error_string: { parameters: ["u64"], result: "pointer" },
} as const;

export type Openssl =
  & Deno.DynamicLibrary<typeof SSL_SYMBOLS>["symbols"]
  & Deno.DynamicLibrary<typeof CRYPTO_SYMBOLS>["symbols"];

/** Something that OpenSSL made, by address. */
export type Pointer = Deno.PointerObject;

export const SSL_ERROR_WANT_READ = 2;
export const SSL_ERROR_WANT_WRITE = 3;
export const SSL_ERROR_ZERO_RETURN = 6;

export const SSL_VERIFY_PEER = 1;
export const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;

export const SSL_MODE_ENABLE_PARTIAL_WRITE = 0x1;
export const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x2;
export const SSL_MODE_AUTO_RETRY = 0x4;
export const SSL_MODE_RELEASE_BUFFERS = 0x10;

export const SSL_OP_NO_COMPRESSION = 1n << 17n;
export const SSL_OP_CIPHER_SERVER_PREFERENCE = 1n << 22n;
export const SSL_OP_NO_RENEGOTIATION = 1n << 30n;

export const SSL_CTRL_MODE = 33;
export const SSL_CTRL_SET_READ_AHEAD = 41;
export const SSL_CTRL_SET_SESS_CACHE_SIZE = 42;
export const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
export const SSL_CTRL_SET_TLSEXT_TICKET_KEYS = 59;
export const SSL_CTRL_CLEAR_MODE = 78;
export const SSL_CTRL_CHAIN_CERT = 89;
export const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;

export const TLS1_2_VERSION = 0x0303;
export const TLS1_3_VERSION = 0x0304;

export const X509_V_FLAG_PARTIAL_CHAIN = 0x80000n;
export const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 4;
export const NID_SUBJECT_ALT_NAME = 85;
export const GENERAL_NAME_URI = 6;

/** The library and the reason of an error code are bits of it (include/openssl/err.h). */
export const ERR_LIB_SSL = 20;
export const SSL_R_HTTPS_PROXY_REQUEST = 155;
export const SSL_R_HTTP_REQUEST = 156;
export const SSL_R_CERTIFICATE_VERIFY_FAILED = 134;
export const SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE = 199;
export const SSL_R_WRONG_VERSION_NUMBER = 267;
export const SSL_R_UNEXPECTED_EOF_WHILE_READING = 294;
/** Reasons from here on: the peer's alert, by number. */
export const SSL_AD_REASON_OFFSET = 1_000;

const SSL_TLSEXT_ERR_OK = 0;
const SSL_TLSEXT_ERR_ALERT_FATAL = 2;
const OPENSSL_NPN_NEGOTIATED = 1;

const ADVICE = "TLS needs OpenSSL 3 (package libssl3 or openssl)";

let opened: Openssl | null = null;

/**
 * Opens OpenSSL, once a thread; it stays open.
 * @throws {Error} it is not on this machine, or FFI is not permitted; one line says which
 */
export function openOpenssl(): Openssl {
  if (opened !== null) return opened;
  try {
    const crypto = openLibrary(["libcrypto.so.3"], CRYPTO_SYMBOLS);
    const ssl = openLibrary(["libssl.so.3"], SSL_SYMBOLS);
    opened = { ...crypto, ...ssl };
  } catch (error) {
    const cause = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new Error(`${ADVICE}: ${cause}`);
  }
  return opened;
}

/** `text` as C has it: UTF-8, ended by a zero. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** The text at a `const char *`; empty for NULL. */
export function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** A copy of `length` bytes as text. Bytes that are not UTF-8, and zeros, stay visible in it. */
export function textOfLength(pointer: Deno.PointerValue, length: number): string {
  if (pointer === null || length <= 0) return "";
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
  return new TextDecoder().decode(bytes.slice());
}

/** The address of a buffer for calls that take `pointer`, made once instead of at every call. */
export function pointerTo(bytes: Uint8Array<ArrayBuffer>): Pointer {
  const pointer = Deno.UnsafePointer.of(bytes);
  if (pointer === null) throw new Error("Cannot take the address of an empty buffer");
  return pointer;
}

/** The protocol that was negotiated; empty: none. */
export function selectedAlpn(openssl: Openssl, ssl: Pointer): string {
  const address = new BigUint64Array(1);
  const length = new Uint32Array(1);
  openssl.SSL_get0_alpn_selected(
    ssl,
    new Uint8Array(address.buffer),
    new Uint8Array(length.buffer),
  );
  return textOfLength(Deno.UnsafePointer.create(address[0]), length[0]);
}

/** A server's choice among the protocols of its clients. OpenSSL asks for it in the middle of a handshake. */
export class AlpnChoice {
  readonly #callback;

  /** @param offered protocols by preference, in the form of the protocol (RFC 7301 3.1) */
  constructor(openssl: Openssl, offered: Uint8Array<ArrayBuffer>) {
    this.#callback = new Deno.UnsafeCallback(
      {
        parameters: ["pointer", "pointer", "pointer", "pointer", "u32", "pointer"],
        result: "i32",
      },
      (_ssl, chosen, chosenLength, wanted, wantedLength) => {
        const result = openssl.SSL_select_next_proto(
          chosen,
          chosenLength,
          offered,
          offered.length,
          wanted,
          wantedLength,
        );
        // Nothing in common: going on would be a guess (RFC 7301 3.2).
        return result === OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
      },
    );
  }

  get pointer(): Pointer {
    return this.#callback.pointer;
  }

  close(): void {
    this.#callback.close();
  }
}
