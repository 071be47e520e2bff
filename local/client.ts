/**
 * A small HTTP client that sends through a sidecar as `http_proxy` does: absolute-form targets (RFC 9112 3.2.2) over one
 * kept connection. For `weft request`, `weft demo` and tests.
 */
import { joinBytes } from "../base/bytes.ts";
import type { HostPort } from "../console/values.ts";
import { Body } from "../proxy/protocol/http1/body.ts";
import { Response } from "../proxy/protocol/http1/response.ts";
import { COMPLETE, INCOMPLETE } from "../proxy/protocol/http1/head.ts";
import { ANSWER_HEAD_BYTES_MAX } from "./limits.ts";

/** What is sent. */
export interface ClientRequest {
  readonly method: string;
  /** Absolute: `http://httpbin.httpbin:8080/test`. */
  readonly url: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

/** What came back. */
export interface ClientResponse {
  readonly status: number;
  /** As it came: `HTTP/1.1 200 OK`. */
  readonly statusLine: string;
  /** In order, as sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Nothing listens where the sidecar should. */
export class MeshUnreachable extends Error {
  override readonly name = "MeshUnreachable";
}

const READ_BYTES = 64 * 1024;

export class MeshClient {
  readonly #sidecar: HostPort;
  #connection: Connection | null = null;

  constructor(sidecar: HostPort) {
    this.#sidecar = sidecar;
  }

  /**
   * Sends one request and reads its whole answer. Throws {@link MeshUnreachable} where the connection is refused, and
   * an `Error` where it breaks or the answer is not HTTP.
   */
  async send(request: ClientRequest): Promise<ClientResponse> {
    const kept = this.#connection;
    const connection = kept !== null && !kept.hasEnded ? kept : await this.#connect();
    this.#connection = connection;
    try {
      await connection.write(encodeRequest(request));
      const response = await readResponse(connection, request.method);
      if (!response.isPersistent) this.close();
      return response;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Closes the kept connection. */
  close(): void {
    this.#connection?.close();
    this.#connection = null;
  }

  async #connect(): Promise<Connection> {
    const { address, port } = this.#sidecar;
    try {
      return new Connection(await Deno.connect({ hostname: address, port }));
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) throw new MeshUnreachable(error.message);
      throw error;
    }
  }
}

/** The target's authority is the Host unless another is given; a body has its length. */
function encodeRequest({ method, url, headers = [], body }: ClientRequest): Uint8Array {
  const encoder = new TextEncoder();
  const content = encoder.encode(body ?? "");
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const added: [string, string][] = [];
  if (!given.has("host")) added.push(["Host", /^http:\/\/([^/?#]*)/i.exec(url)?.[1] ?? ""]);
  if (body !== undefined && !given.has("content-length")) {
    added.push(["Content-Length", String(content.length)]);
  }
  const lines = [...added, ...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const target = url.replace(/#.*$/, "");
  const head = encoder.encode(`${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

async function readResponse(
  connection: Connection,
  method: string,
): Promise<ClientResponse & { readonly isPersistent: boolean }> {
  const head = new Response();
  do await readHead(connection, head); while (head.isInterim);
  const decoder = new TextDecoder();
  const textAt = (from: number, to: number) => decoder.decode(connection.held.subarray(from, to));
  const headers: [string, string][] = [];
  for (let i = 0; i < head.headerCount; i++) {
    const [nameStart, nameEnd, valueStart, valueEnd] = head.headers.subarray(4 * i, 4 * i + 4);
    headers.push([textAt(nameStart, nameEnd), textAt(valueStart, valueEnd)]);
  }
  const statusLine = textAt(head.start, head.headersStart).trimEnd();
  connection.take(head.end);
  const body = new Body();
  if (!head.hasBody(method === "HEAD")) body.startEmpty();
  else if (head.isChunked) body.startChunked();
  else if (head.contentLength >= 0) body.startLength(head.contentLength);
  else body.startUntilClose();
  return {
    status: head.status,
    statusLine,
    headers,
    body: await readBody(connection, body),
    isPersistent: head.isPersistent && !body.isUntilClose,
  };
}

/** Leaves the head at the start of what the connection holds; an interim one before it is gone. */
async function readHead(connection: Connection, head: Response): Promise<void> {
  if (head.status !== 0) connection.take(head.end);
  for (;;) {
    const { held } = connection;
    const result = held.length === 0 ? INCOMPLETE : head.parse(held, 0, held.length);
    if (result === COMPLETE) return;
    if (result !== INCOMPLETE || held.length > ANSWER_HEAD_BYTES_MAX) {
      throw new Error("The answer is not HTTP/1.1");
    }
    if (!await connection.read()) throw new Error("The connection was closed without an answer");
  }
}

async function readBody(connection: Connection, body: Body): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { held } = connection;
    const end = body.isChunked
      ? body.unchunk(held, 0, held.length)
      : body.advance(held, 0, held.length);
    if (body.isBroken) throw new Error("The answer's body is not well formed");
    parts.push(held.slice(0, end));
    connection.held = held.subarray(end, held.length - body.takenOut);
    if (body.isDone) {
      connection.take(body.trailerBytes);
      return joinBytes(parts);
    }
    if (await connection.read()) continue;
    if (!body.isUntilClose) throw new Error("The connection was closed within the answer");
    body.end();
  }
}

/** A TCP connection and the bytes that have come and are not used yet. */
class Connection {
  /** Not used yet; may be changed in place. */
  held = new Uint8Array(0);
  hasEnded = false;
  readonly #connection: Deno.TcpConn;
  readonly #chunk = new Uint8Array(READ_BYTES);

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#connection.write(bytes.subarray(sent));
    }
  }

  /** Waits for more bytes; false: there are none to come. */
  async read(): Promise<boolean> {
    const count = await this.#connection.read(this.#chunk);
    if (count === null) {
      this.hasEnded = true;
      return false;
    }
    this.held = joinBytes([this.held, this.#chunk.subarray(0, count)]);
    return true;
  }

  /** Forgets the first `count` bytes. */
  take(count: number): void {
    this.held = this.held.subarray(count);
  }

  close(): void {
    this.#connection.close();
  }
}
