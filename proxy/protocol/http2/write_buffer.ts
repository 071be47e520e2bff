/**
 * WriteBuffer: the area of the arena that a machine writes frames into, lent by the owner of the socket. It knows
 * offsets and nothing of frames.
 */

export class WriteBuffer {
  readonly bytes: Uint8Array;
  /** `start` .. `end` waits to be sent; the sender moves `start`. */
  start = 0;
  /** `end` .. `limit` is free; the machine moves `end`. */
  end = 0;
  limit = 0;
  /** Bytes of the largest area that the owner lends where one head needs it. */
  capacityMax = 0;
  /** Where the lent area starts. */
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get room(): number {
    return this.limit - this.end;
  }

  /** Bytes that fit when nothing waits, in the largest area that is lent. */
  get capacity(): number {
    return Math.max(this.limit - this.offset, this.capacityMax);
  }

  get isEmpty(): boolean {
    return this.start === this.end;
  }

  /** Lends the area from `offset` to `limit`. What the last one held must have been sent. */
  lend(offset: number, limit: number): void {
    this.offset =
      this.start =
      this.end =
        offset;
    this.limit = limit;
  }

  /** All of it has been sent: begins the area anew. */
  rewind(): void {
    this.start = this.end = this.offset;
  }

  /** Takes the area back: nothing can be written until another is lent. */
  takeBack(): void {
    this.lend(0, 0);
  }
}
