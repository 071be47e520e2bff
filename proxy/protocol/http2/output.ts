/**
 * Output: the area of the arena that a machine writes frames into, lent by whoever owns the socket. It knows
 * offsets and nothing of frames.
 */

export class Output {
  readonly bytes: Uint8Array;
  /** `start` .. `end` waits to be sent; whoever sends it moves `start`. */
  start = 0;
  /** `end` .. `limit` is free; the machine moves `end`. */
  end = 0;
  limit = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get room(): number {
    return this.limit - this.end;
  }

  get isEmpty(): boolean {
    return this.start === this.end;
  }

  /** Lends the area from `offset` to `limit`. What the last one held must have been sent. */
  lend(offset: number, limit: number): void {
    this.start = this.end = offset;
    this.limit = limit;
  }

  /** Takes the area back: nothing can be written until another is lent. */
  takeBack(): void {
    this.start =
      this.end =
      this.limit =
        0;
  }
}
