/**
 * Huffman-coded strings (RFC 7541 5.2): decoded four bits at a time through a table of states, encoded through the codes.
 * A string that is not padded as it must be, or holds the end-of-string symbol, is refused.
 */
import { CODE_LENGTHS, CODES, END_OF_STRING, SYMBOL_COUNT } from "./huffman_code.ts";

/** `huffmanDecode`: the bytes are not a Huffman-coded string. */
export const HUFFMAN_INVALID = -1;
/** `huffmanDecode`: the string is longer than the room for it. */
export const HUFFMAN_TOO_LONG = -2;

/**
 * The code is a tree of 256 inner nodes; each is a state. Sixteen entries a state, one for each value of the next four bits:
 *
 *     bits 0-7   the next state
 *     bits 8-15  the symbol that these bits complete (a code has at least five bits, so there is at most one)
 *     EMITS      there is such a symbol
 *     ENDS       a string may end here: the bits since the last symbol are padding, fewer than eight ones
 *     FAILS      the end-of-string symbol
 */
const EMITS = 1 << 16;
const ENDS = 1 << 17;
const FAILS = 1 << 18;
const PADDING_BITS = 7;

const TABLE: Int32Array = buildTable();

/** Inner nodes of the tree; a child below zero is a leaf: the symbol's complement. */
function buildTree(): { children: Int32Array; endsHere: Uint8Array; count: number } {
  const children = new Int32Array(2 * SYMBOL_COUNT);
  const endsHere = new Uint8Array(SYMBOL_COUNT);
  endsHere[0] = 1;
  let count = 1;
  for (let symbol = 0; symbol < SYMBOL_COUNT; symbol++) {
    let node = 0;
    for (let bit = CODE_LENGTHS[symbol] - 1; bit >= 0; bit--) {
      const slot = 2 * node + ((CODES[symbol] >> bit) & 1);
      if (bit === 0) children[slot] = ~symbol;
      else if (children[slot] === 0) children[slot] = count++;
      node = children[slot];
    }
  }
  for (let node = 0, depth = 1; depth <= PADDING_BITS; depth++) {
    node = children[2 * node + 1];
    endsHere[node] = 1;
  }
  return { children, endsHere, count };
}

function buildTable(): Int32Array {
  const { children, endsHere, count } = buildTree();
  const table = new Int32Array(16 * count);
  for (let state = 0; state < count; state++) {
    for (let bits = 0; bits < 16; bits++) {
      let node = state;
      let entry = 0;
      for (let bit = 3; bit >= 0; bit--) {
        node = children[2 * node + ((bits >> bit) & 1)];
        if (node >= 0) continue;
        if (~node === END_OF_STRING) {
          entry = FAILS;
          break;
        }
        entry |= EMITS | (~node << 8);
        node = 0;
      }
      if (entry !== FAILS) entry |= node | (endsHere[node] === 1 ? ENDS : 0);
      table[16 * state + bits] = entry;
    }
  }
  return table;
}

/**
 * Decodes the bytes from `start` to `end` into `out` from `at`, at most up to `limit`. Returns where the text ends, or
 * `HUFFMAN_INVALID`, or `HUFFMAN_TOO_LONG`.
 */
export function huffmanDecode(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  limit: number,
): number {
  let entry = ENDS;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    entry = TABLE[((entry & 0xff) << 4) | (byte >> 4)];
    if ((entry & (EMITS | FAILS)) !== 0) {
      if ((entry & FAILS) !== 0) return HUFFMAN_INVALID;
      if (at === limit) return HUFFMAN_TOO_LONG;
      out[at++] = entry >> 8;
    }
    entry = TABLE[((entry & 0xff) << 4) | (byte & 15)];
    if ((entry & (EMITS | FAILS)) !== 0) {
      if ((entry & FAILS) !== 0) return HUFFMAN_INVALID;
      if (at === limit) return HUFFMAN_TOO_LONG;
      out[at++] = entry >> 8;
    }
  }
  return (entry & ENDS) !== 0 ? at : HUFFMAN_INVALID;
}

/** How many bytes the text from `start` to `end` takes when coded. `fold` maps each byte first. */
export function huffmanLength(
  bytes: Uint8Array,
  start: number,
  end: number,
  fold: Uint8Array,
): number {
  let bits = 0;
  for (let i = start; i < end; i++) bits += CODE_LENGTHS[fold[bytes[i]]];
  return (bits + 7) >> 3;
}

/** Writes the coded text into `out` from `at`; returns where it ends. `fold` maps each byte first. */
export function huffmanEncode(
  bytes: Uint8Array,
  start: number,
  end: number,
  fold: Uint8Array,
  out: Uint8Array,
  at: number,
): number {
  // Up to seven bits wait for the next code; of a long code, whole bytes are written first, so 32 bits are enough.
  let waiting = 0;
  let count = 0;
  for (let i = start; i < end; i++) {
    const symbol = fold[bytes[i]];
    const code = CODES[symbol];
    let length = CODE_LENGTHS[symbol];
    while (length > 0) {
      const taken = Math.min(length, 8);
      length -= taken;
      waiting = (waiting << taken) | ((code >> length) & ((1 << taken) - 1));
      count += taken;
      if (count >= 8) {
        count -= 8;
        out[at++] = waiting >> count;
        waiting &= (1 << count) - 1;
      }
    }
  }
  if (count > 0) out[at++] = (waiting << (8 - count)) | ((1 << (8 - count)) - 1);
  return at;
}
