/** What OpenSSL knows of a peer: who it is by its certificate, or why there is no talking to it. */
import * as lib from "./libc_openssl.ts";
import type { Openssl, Pointer } from "./libc_openssl.ts";
import type { TlsFailure, TlsFailureCode } from "./tls.ts";

const NO_URIS: readonly string[] = [];

/** The URIs of the verified peer's certificate; none if it showed none. */
export function peerUris(c: Openssl, ssl: Pointer): readonly string[] {
  const certificate = c.SSL_get1_peer_certificate(ssl);
  if (certificate === null) return NO_URIS;
  const names = c.X509_get_ext_d2i(certificate, lib.NID_SUBJECT_ALT_NAME, null, null);
  c.X509_free(certificate);
  if (names === null) return NO_URIS;
  const uris: string[] = [];
  const kind = new Int32Array(1);
  const kindBytes = new Uint8Array(kind.buffer);
  for (let i = 0; i < c.OPENSSL_sk_num(names); i++) {
    const value = c.GENERAL_NAME_get0_value(c.OPENSSL_sk_value(names, i), kindBytes);
    if (kind[0] !== lib.GENERAL_NAME_URI) continue;
    uris.push(lib.textOfLength(c.ASN1_STRING_get0_data(value), c.ASN1_STRING_length(value)));
  }
  c.GENERAL_NAMES_free(names);
  return uris;
}

/** Whether a session is of a peer whose certificate has expired since: nothing verifies it when the session is resumed. */
export function isOfExpired(c: Openssl, session: Pointer): boolean {
  const certificate = c.SSL_SESSION_get0_peer(session);
  return certificate !== null && c.X509_cmp_current_time(c.X509_get0_notAfter(certificate)) < 0;
}

/** Why a handshake failed. Forgets OpenSSL's errors. */
export function failureOf(c: Openssl, ssl: Pointer): TlsFailure {
  const error = c.ERR_peek_error();
  const text = lib.textAt(c.ERR_reason_error_string(error));
  const verifyResult = c.SSL_get_verify_result(ssl);
  c.ERR_clear_error();
  if (error === 0n) return { code: "tls-closed", detail: "Connection ended in the handshake" };
  const isOfTls = Number((error >> 23n) & 0xffn) === lib.ERR_LIB_SSL;
  const code = isOfTls ? codeOf(Number(error & 0x7fffffn)) : "tls-protocol";
  if (code === "tls-certificate") {
    return { code, detail: lib.textAt(c.X509_verify_cert_error_string(verifyResult)) };
  }
  return { code, detail: text };
}

function codeOf(reason: number): TlsFailureCode {
  if (reason >= lib.SSL_AD_REASON_OFFSET) return "tls-alert";
  switch (reason) {
    case lib.SSL_R_CERTIFICATE_VERIFY_FAILED:
      return "tls-certificate";
    case lib.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "tls-no-certificate";
    case lib.SSL_R_HTTP_REQUEST:
    case lib.SSL_R_HTTPS_PROXY_REQUEST:
    case lib.SSL_R_WRONG_VERSION_NUMBER:
      return "tls-plaintext";
    case lib.SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "tls-closed";
    default:
      return "tls-protocol";
  }
}
