/**
 * Tester: one end of a WebSocket of which a test makes every byte itself, as client or as server.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import net from "node:net";
import type { Random } from "../../base/random.ts";
import { within } from "../support/until.ts";
import { encodeFrame } from "./frame.ts";

export type TesterRole = "client" | "server";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function acceptOf(key: string): string {
  return createHash("sha1").update(key + GUID).digest("base64");
}

export class Tester {
  readonly role: TesterRole;
  readonly random: Random;
  readonly #socket: net.Socket;
  #received = new Uint8Array(0);
  #chunks: Uint8Array[] = [];
  #wake: () => void = () => {};
  #ending: "end" | "reset" | null = null;

  constructor(socket: net.Socket, role: TesterRole, random: Random) {
    this.role = role;
    this.random = random;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    const ended = (how: "end" | "reset") => {
      this.#ending ??= how;
      this.#wake();
    };
    socket.on("end", () => ended("end"));
    socket.on("error", () => ended("reset"));
    socket.on("close", () => ended("reset"));
  }

  /** Sends a handshake and whatever is to follow it in one piece; resolves when it is answered. */
  static async connect(
    port: number,
    random: Random,
    early = new Uint8Array(0),
  ): Promise<Tester> {
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const tester = new Tester(socket, "client", random);
    const head = [
      "GET /chat?x=1 HTTP/1.1",
      "Host: app",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
    ];
    await tester.sendBytes(concat([ascii(`${head.join("\r\n")}\r\n\r\n`), early]));
    const answer = await tester.#readHead();
    assert.match(answer, /^HTTP\/1\.1 101 /);
    assert.equal(headerOf(answer, "sec-websocket-accept"), acceptOf(KEY));
    assert.match(headerOf(answer, "upgrade"), /^websocket$/i);
    return tester;
  }

  /** Reads a handshake and answers it, and sends whatever is to follow in the same piece. */
  async accept(early = new Uint8Array(0)): Promise<void> {
    const request = await this.#readHead();
    assert.match(request, /^GET \/chat\?x=1 HTTP\/1\.1\r\n/);
    assert.equal(headerOf(request, "sec-websocket-version"), "13");
    const head = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${acceptOf(headerOf(request, "sec-websocket-key"))}`,
    ];
    await this.sendBytes(concat([ascii(`${head.join("\r\n")}\r\n\r\n`), early]));
  }

  /** The bytes of a frame as this end sends it: masked by a client. */
  frame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
    const mask = this.role === "client"
      ? Uint8Array.from({ length: 4 }, () => this.random.below(256))
      : null;
    return encodeFrame(opcode, payload, mask);
  }

  /** Resolves once the kernel has them. */
  async sendBytes(bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
    await within(written, () => this.destroy());
  }

  /** In pieces of random length, of at most so many bytes. */
  async sendCut(bytes: Uint8Array, pieceBytesMax: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const size = 1 + this.random.below(pieceBytesMax);
      await this.sendBytes(bytes.subarray(at, at + size));
      at += size;
    }
  }

  /** Exactly so many bytes, whatever they are. @throws {Error} the connection has ended */
  async nextBytes(count: number): Promise<Uint8Array> {
    await this.#atLeast(count);
    const bytes = this.#pending().slice(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }

  /** Wants an orderly end, and nothing before it. */
  async expectEnd(): Promise<void> {
    while (await this.#more());
    assert.equal(this.#pending().length, 0, "bytes before the end");
    assert.equal(this.#ending, "end");
  }

  /** Waits for an end of whatever kind; what came before it. */
  async rest(): Promise<{ readonly bytes: Uint8Array; readonly ending: "end" | "reset" | null }> {
    while (await this.#more());
    return { bytes: this.#pending(), ending: this.#ending };
  }

  async endSending(): Promise<void> {
    await within(
      new Promise<void>((resolve) => this.#socket.end(() => resolve())),
      () => this.destroy(),
    );
  }

  /** Goes away without a word, by a reset where the runtime can. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #readHead(): Promise<string> {
    for (;;) {
      const text = new TextDecoder("latin1").decode(this.#pending());
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#received = this.#received.subarray(end + 4);
        return text.slice(0, end + 2);
      }
      if (!await this.#more()) throw new Error(`The connection ended within: ${text}`);
    }
  }

  /** Waits for so many bytes, without putting pieces together each time one comes. */
  async #atLeast(count: number): Promise<void> {
    while (this.#received.length + sizeOf(this.#chunks) < count) {
      if (!await this.#more()) throw new Error(`The connection ended (${this.#ending})`);
    }
  }

  /** All that has come and has not been taken, in one piece. */
  #pending(): Uint8Array {
    if (this.#chunks.length > 0) this.#received = concat([this.#received, ...this.#chunks]);
    this.#chunks = [];
    return this.#received;
  }

  /** Waits for more. False: there will be none. */
  async #more(): Promise<boolean> {
    const count = this.#chunks.length;
    if (this.#ending === null) {
      let isLate = false;
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      await within(woken, () => {
        isLate = true;
        this.destroy();
      });
      if (isLate) throw new Error(`Nothing came; so far: ${this.#pending().length} bytes`);
    }
    return this.#chunks.length > count;
  }
}

function headerOf(head: string, name: string): string {
  return new RegExp(`^${name}: *(.*?) *\r$`, "im").exec(head)?.[1] ?? "";
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(sizeOf(parts));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Says where bytes differ; a report of megabytes would be of no use. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array): void {
  const length = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < length && actual[at] === expected[at]) at++;
  assert.ok(at === length, `byte ${at} is ${actual[at]}, not ${expected[at]}`);
  assert.equal(actual.length, expected.length, "the length");
}
