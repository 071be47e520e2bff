/**
 * A client that does what no well-behaved one would, by OpenSSL on a blocking socket: the thread stands still while it waits,
 * so its peer must run on another one.
 */
import { AF_INET, openLibc, openLibrary, SOCK_STREAM } from "../../proxy/io/libc.ts";
import { openOpenssl, type Pointer, pointerTo } from "../../proxy/io/libc_openssl.ts";

const MORE_SYMBOLS = {
  SSL_key_update: { parameters: ["pointer", "i32"], result: "i32" },
} as const;

const SSL_KEY_UPDATE_REQUESTED = 1;
const BUFFER_BYTES = 16_384;
/** SOL_SOCKET options: how long a blocking call may last. */
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SOL_SOCKET = 1;

export class RawClient {
  readonly #c = openLibc();
  readonly #openssl = openOpenssl();
  readonly #more = openLibrary(["libssl.so.3"], MORE_SYMBOLS);
  readonly #context: Pointer;
  readonly #ssl: Pointer;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #bufferAt = pointerTo(this.#buffer);

  /** Connects and makes the handshake; verifies nothing. No call lasts longer than `timeoutS`. */
  constructor(port: number, timeoutS: number) {
    this.#fd = this.#c.socket(AF_INET, SOCK_STREAM, 0);
    const timeout = new Uint8Array(new BigInt64Array([BigInt(timeoutS), 0n]).buffer);
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
      this.#c.setsockopt(this.#fd, SOL_SOCKET, option, timeout, timeout.length);
    }
    const address = Uint8Array.of(
      AF_INET,
      0,
      port >> 8,
      port & 255,
      127,
      0,
      0,
      1,
      ...Array(8).fill(0),
    );
    if (this.#c.connect(this.#fd, address, address.length) !== 0) throw new Error("Not connected");
    const c = this.#openssl;
    const context = c.SSL_CTX_new(c.TLS_client_method());
    const ssl = context && c.SSL_new(context);
    if (context === null || ssl === null) throw new Error("OpenSSL has no memory");
    [this.#context, this.#ssl] = [context, ssl];
    c.SSL_set_fd(ssl, this.#fd);
    c.SSL_set_connect_state(ssl);
    if (c.SSL_do_handshake(ssl) !== 1) throw new Error("No TLS");
  }

  /** Changes its keys and wants the server to change its own. False: the connection is of no more use. */
  updateKeys(): boolean {
    this.#openssl.ERR_clear_error();
    return this.#more.SSL_key_update(this.#ssl, SSL_KEY_UPDATE_REQUESTED) === 1 &&
      this.#openssl.SSL_do_handshake(this.#ssl) === 1;
  }

  /** False: the connection is of no more use. */
  write(text: string): boolean {
    this.#openssl.ERR_clear_error();
    const { written } = new TextEncoder().encodeInto(text, this.#buffer);
    return this.#openssl.SSL_write(this.#ssl, this.#bufferAt, written) === written;
  }

  /** What has come, at most a record; empty: the end, or nothing came in time. */
  read(): string {
    this.#openssl.ERR_clear_error();
    const count = this.#openssl.SSL_read(this.#ssl, this.#bufferAt, BUFFER_BYTES);
    return count <= 0 ? "" : new TextDecoder().decode(this.#buffer.slice(0, count));
  }

  [Symbol.dispose](): void {
    this.#openssl.SSL_free(this.#ssl);
    this.#openssl.SSL_CTX_free(this.#context);
    this.#c.close(this.#fd);
  }
}
