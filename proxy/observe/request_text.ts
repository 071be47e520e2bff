/**
 * RequestText: what a request says of itself, as bytes in one piece: its method, host, path and the id of its trace. They are copied
 * when it comes, because its head is gone when it is told of; texts are made of them only where they are asked for.
 */
import { latin1 } from "../protocol/http1/lexical.ts";
import { REQUEST_TEXT_BYTES, REQUEST_TEXTS_SPARE_MAX } from "../limits.ts";

/** Digits of the id of a trace. */
const TRACE_DIGITS = 32;

export class RequestText {
  bytes = new Uint8Array(REQUEST_TEXT_BYTES);
  /** Where each ends; the next one begins there. The id of a trace has 32 digits, or none. */
  methodEnd = 0;
  authorityEnd = 0;
  pathEnd = 0;
  traceEnd = 0;

  clear(): void {
    this.methodEnd =
      this.authorityEnd =
      this.pathEnd =
      this.traceEnd =
        0;
  }

  /** Room for a head's text of so many bytes. */
  reserve(count: number): void {
    if (count + TRACE_DIGITS <= this.bytes.length) return;
    this.bytes = new Uint8Array(count + TRACE_DIGITS);
  }

  /** Appends the bytes from `start` to `end`; returns where they end. There is room for them. */
  copy(from: Uint8Array, start: number, end: number, at: number): number {
    const { bytes } = this;
    for (let i = start; i < end; i++) bytes[at + i - start] = from[i];
    return at + end - start;
  }

  /** Text of one byte a character, for what is told of seldom. */
  set(method: string, authority: string, path: string, trace: string): void {
    this.reserve(method.length + authority.length + path.length + trace.length);
    this.methodEnd = this.#write(method, 0);
    this.authorityEnd = this.#write(authority, this.methodEnd);
    this.pathEnd = this.#write(path, this.authorityEnd);
    this.traceEnd = this.#write(trace, this.pathEnd);
  }

  setTrace(trace: string): void {
    this.traceEnd = this.#write(trace, this.pathEnd);
  }

  get method(): string {
    return latin1(this.bytes, 0, this.methodEnd);
  }

  get authority(): string {
    return latin1(this.bytes, this.methodEnd, this.authorityEnd);
  }

  get path(): string {
    return latin1(this.bytes, this.authorityEnd, this.pathEnd);
  }

  get trace(): string {
    return latin1(this.bytes, this.pathEnd, this.traceEnd);
  }

  #write(text: string, at: number): number {
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
    return at + text.length;
  }
}

/** Those of one event loop that are not in use. */
export class SpareTexts {
  readonly #spare: RequestText[] = [];

  /** An empty one. */
  take(): RequestText {
    const text = this.#spare.pop() ?? new RequestText();
    text.clear();
    return text;
  }

  giveBack(text: RequestText): void {
    const isUsual = text.bytes.length === REQUEST_TEXT_BYTES;
    if (isUsual && this.#spare.length < REQUEST_TEXTS_SPARE_MAX) this.#spare.push(text);
  }
}
