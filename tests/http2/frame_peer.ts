/** FramePeer: an HTTP/2 client or endpoint that sends exactly the frames that a test says, and tells what comes as text. */
import assert from "node:assert/strict";
import { ENABLE_CONNECT_PROTOCOL } from "../../proxy/protocol/http2/settings.ts";
import {
  CLIENT_STARTED,
  concat,
  FrameTeller,
  settings,
  SETTINGS_ACK,
} from "../protocol/http2/frames.ts";
import { bytesOf } from "../support/bytes_notation.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import type { TestProxy } from "../support/test_proxy.ts";

/** Sent in one piece, or byte by byte. */
export type Sending = "whole" | "byte by byte";

export class FramePeer {
  readonly socket: RawSocket;
  readonly #teller = new FrameTeller();
  readonly #sending: Sending;
  /** Frames that have come and were not asked for. */
  #lines: string[] = [];

  constructor(socket: RawSocket, sending: Sending = "whole") {
    this.socket = socket;
    this.#sending = sending;
  }

  /** A client that has said what comes first. */
  static async connect(proxy: TestProxy, sending: Sending = "whole"): Promise<FramePeer> {
    const peer = new FramePeer(await proxy.connect(), sending);
    await peer.send(CLIENT_STARTED);
    return peer;
  }

  /** An endpoint that has said what comes first; whether it takes extended CONNECT is up to the test. */
  static async accept(socket: RawSocket, takesConnectProtocol: boolean): Promise<FramePeer> {
    const peer = new FramePeer(socket);
    await peer.send(
      settings([ENABLE_CONNECT_PROTOCOL, takesConnectProtocol ? 1 : 0]),
      SETTINGS_ACK,
    );
    return peer;
  }

  async send(...frames: readonly Uint8Array[]): Promise<void> {
    const bytes = concat(frames);
    if (this.#sending === "whole") return await this.socket.send(bytes);
    for (const byte of bytes) await this.socket.send(Uint8Array.of(byte));
  }

  /**
   * The next frame that `wanted` matches, as text; those before it stay to be asked for.
   * @throws {Error} the connection ended before it came
   */
  async next(wanted: RegExp): Promise<string> {
    for (;;) {
      const at = this.#lines.findIndex((line) => wanted.test(line));
      if (at >= 0) return this.#lines.splice(at, 1)[0];
      if (!await this.#readMore()) throw new Error(`No ${wanted} in:\n${this.#lines.join("\n")}`);
    }
  }

  /** The payloads of a stream's DATA frames until they are `text`; no frame may be longer than 80 bytes. */
  async wantData(streamId: number, text: string): Promise<void> {
    let all = "";
    while (all.length < text.length) {
      all += /"(.*)"/s.exec(await this.next(new RegExp(`^DATA ${streamId} `, "s")))?.[1] ?? "";
    }
    assert.equal(all, text);
  }

  /** Bytes of DATA on a stream until its end. */
  async countData(streamId: number): Promise<number> {
    let count = 0;
    for (;;) {
      const line = await this.next(new RegExp(`^DATA ${streamId} `, "s"));
      const [, text = "", isEnd] = /"(.*)"( END)?$/s.exec(line) ?? [];
      count += /^(\d+) bytes$/.test(text) ? parseInt(text) : text.length;
      if (isEnd !== undefined) return count;
    }
  }

  /** Wants no such frame among those that have come. */
  wantNone(unwanted: RegExp): void {
    assert.deepEqual(this.#lines.filter((line) => unwanted.test(line)), []);
  }

  close(): void {
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #readMore(): Promise<boolean> {
    if (!await this.socket.readMore()) return false;
    this.#lines.push(...this.#teller.tell(bytesOf(this.socket.takeAll())));
    return true;
  }
}
