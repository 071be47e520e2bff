/**
 * Flow control (RFC 9113 5.2, 6.9): one window each way, for a connection and for each of its streams. Only counts: it knows
 * neither streams nor frames.
 */
import { WINDOW_MAX } from "./limits.ts";

/** What the peer still takes. A change of its settings may bring it below zero (RFC 9113 6.9.2). */
export class SendWindow {
  available = 0;

  reset(available: number): void {
    this.available = available;
  }

  spend(length: number): void {
    this.available -= length;
  }

  /** Adds what the peer grants, which is negative where it shrinks the window. False: the window is too large. */
  grow(increment: number): boolean {
    this.available += increment;
    return this.available <= WINDOW_MAX;
  }
}

/**
 * What the peer may still send, and what it has sent that is not passed on. Increments are put together until they are worth
 * a frame: half of the window.
 */
export class ReceiveWindow {
  /** The window when nothing is under way. */
  sizeBytes = 0;
  available = 0;
  /** Given to the visitor and not yet consumed. */
  heldBytes = 0;
  /** Consumed and not yet told to the peer. */
  #unreportedBytes = 0;

  reset(sizeBytes: number): void {
    this.sizeBytes = this.available = sizeBytes;
    this.heldBytes = 0;
    this.#unreportedBytes = 0;
  }

  /** Charges a frame. False: the peer has sent more than it may. An empty frame needs no window (RFC 9113 6.9.1). */
  charge(length: number): boolean {
    if (length > this.available && length > 0) return false;
    this.available -= length;
    return true;
  }

  hold(length: number): void {
    this.heldBytes += length;
  }

  /** Bytes that were held are consumed. */
  consume(length: number): void {
    this.heldBytes -= length;
    this.release(length);
  }

  /** Bytes that were charged and never held, such as padding, are free again. */
  release(length: number): void {
    this.#unreportedBytes += length;
  }

  /** Whether the peer is to be told. */
  get isReportDue(): boolean {
    return this.#unreportedBytes > 0 && 2 * this.#unreportedBytes >= this.sizeBytes;
  }

  /** The increment to tell the peer now. */
  report(): number {
    const increment = this.#unreportedBytes;
    this.#unreportedBytes = 0;
    this.available += increment;
    return increment;
  }

  /** The size that SETTINGS gave holds from its acknowledgement on. */
  resize(sizeBytes: number): void {
    this.available += sizeBytes - this.sizeBytes;
    this.sizeBytes = sizeBytes;
  }
}
