/** GatherList: pieces of the arena that one gathered write sends without copying (writev). */
import type { Piece } from "./arena.ts";

/** 40 dropped headers cut a head into 41 pieces, and the lines that are rewritten add 12. */
const PIECES_MAX = 56;

export class GatherList {
  readonly offsets = new Int32Array(PIECES_MAX);
  readonly lengths = new Int32Array(PIECES_MAX);
  count = 0;
  /** Sum of the lengths. */
  bytes = 0;

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  add(offset: number, length: number): void {
    if (length === 0) return;
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.count++;
    this.bytes += length;
  }

  addText(piece: Piece): void {
    this.add(piece.offset, piece.length);
  }

  /** All pieces of `bytes`, without the first `skip` bytes, as bytes of their own. */
  join(bytes: Uint8Array, skip: number): Uint8Array {
    const text = new Uint8Array(this.bytes);
    let at = 0;
    for (let i = 0; i < this.count; i++) {
      text.set(bytes.subarray(this.offsets[i], this.offsets[i] + this.lengths[i]), at);
      at += this.lengths[i];
    }
    return text.subarray(skip);
  }
}
