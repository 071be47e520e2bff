/**
 * The dynamic table (RFC 7541 2.3.2, 4): fields in the order in which they came, text in one block of bytes. Decoder and
 * encoder each have one. It makes no strings and allocates only while it grows, so an idle connection's is small.
 */

/** Every entry counts 32 bytes beyond its text (RFC 7541 4.1). */
const ENTRY_OVERHEAD_BYTES = 32;
const TEXT_BYTES_FIRST = 256;
const ENTRIES_FIRST = 8;
/** Numbers an entry: start of its text, length of name, length of value, name id and flags. */
const ENTRY_NUMBERS = 4;

export class DynamicTable {
  /** Text of all entries; each is name and then value, in one piece. */
  text = new Uint8Array(TEXT_BYTES_FIRST);
  /** Sum of the entries' sizes. */
  sizeBytes = 0;
  /** Entries are evicted until `sizeBytes` is at most this. */
  sizeBytesMax: number;
  /** Number of the newest entry, counted from 1 over the life of the table; older ones count down from it. */
  newest = 0;
  count = 0;

  #textEnd = 0;
  /** A ring, its length a power of two; entry `n` is at `n % ring length`. */
  #ring = new Uint16Array(ENTRY_NUMBERS * ENTRIES_FIRST);
  #ringMask = ENTRIES_FIRST - 1;

  /** `sizeBytesMax` is at most 65535. */
  constructor(sizeBytesMax: number) {
    this.sizeBytesMax = sizeBytesMax;
  }

  nameStart(number: number): number {
    return this.#ring[ENTRY_NUMBERS * (number & this.#ringMask)];
  }

  nameLength(number: number): number {
    return this.#ring[ENTRY_NUMBERS * (number & this.#ringMask) + 1];
  }

  valueLength(number: number): number {
    return this.#ring[ENTRY_NUMBERS * (number & this.#ringMask) + 2];
  }

  /** Id of the name. */
  name(number: number): number {
    return this.#ring[ENTRY_NUMBERS * (number & this.#ringMask) + 3] & 0xff;
  }

  flags(number: number): number {
    return this.#ring[ENTRY_NUMBERS * (number & this.#ringMask) + 3] >> 8;
  }

  has(number: number): boolean {
    return number <= this.newest && number > this.newest - this.count;
  }

  resize(sizeBytesMax: number): void {
    this.sizeBytesMax = sizeBytesMax;
    this.#evict(0);
  }

  clear(): void {
    this.count = 0;
    this.sizeBytes = 0;
    this.#textEnd = 0;
  }

  /**
   * Adds an entry with `lengths` known and returns where its text is to be written: name and then value. -1: it is larger
   * than the table, which is now empty (RFC 7541 4.4). The name must not be read from this table's text after the call.
   */
  add(nameLength: number, valueLength: number, name: number, flags: number): number {
    const length = nameLength + valueLength;
    const size = length + ENTRY_OVERHEAD_BYTES;
    if (size > this.sizeBytesMax) {
      this.clear();
      return -1;
    }
    this.#evict(size);
    if (this.#textEnd + length > this.text.length) this.#makeRoom(length);
    if (this.count > this.#ringMask) this.#growRing();
    const start = this.#textEnd;
    const number = this.newest + 1;
    const slot = ENTRY_NUMBERS * (number & this.#ringMask);
    const ring = this.#ring;
    ring[slot] = start;
    ring[slot + 1] = nameLength;
    ring[slot + 2] = valueLength;
    ring[slot + 3] = name | (flags << 8);
    this.#textEnd = start + length;
    this.sizeBytes += size;
    this.newest = number;
    this.count++;
    return start;
  }

  /** Evicts the oldest entries until one of `size` fits. */
  #evict(size: number): void {
    while (this.count > 0 && this.sizeBytes + size > this.sizeBytesMax) {
      const oldest = this.newest - this.count + 1;
      this.sizeBytes -= this.nameLength(oldest) + this.valueLength(oldest) + ENTRY_OVERHEAD_BYTES;
      this.count--;
    }
    if (this.count === 0) this.#textEnd = 0;
  }

  /** Moves the text of the entries to the front, into a larger block where that is too little. */
  #makeRoom(length: number): void {
    const first = this.count === 0 ? this.#textEnd : this.nameStart(this.newest - this.count + 1);
    const used = this.#textEnd - first;
    // Moving pays only where it frees much: below half of the block, grow instead.
    const canMove = 2 * first >= this.text.length || this.text.length >= this.sizeBytesMax;
    let capacity = canMove ? this.text.length : 2 * this.text.length;
    while (capacity < used + length) capacity *= 2;
    if (capacity === this.text.length) this.text.copyWithin(0, first, this.#textEnd);
    else {
      const larger = new Uint8Array(capacity);
      larger.set(this.text.subarray(first, this.#textEnd));
      this.text = larger;
    }
    for (let number = this.newest - this.count + 1; number <= this.newest; number++) {
      this.#ring[ENTRY_NUMBERS * (number & this.#ringMask)] -= first;
    }
    this.#textEnd = used;
  }

  #growRing(): void {
    const mask = 2 * (this.#ringMask + 1) - 1;
    const ring = new Uint16Array(ENTRY_NUMBERS * (mask + 1));
    for (let number = this.newest - this.count + 1; number <= this.newest; number++) {
      const from = ENTRY_NUMBERS * (number & this.#ringMask);
      const entry = this.#ring.subarray(from, from + ENTRY_NUMBERS);
      ring.set(entry, ENTRY_NUMBERS * (number & mask));
    }
    this.#ring = ring;
    this.#ringMask = mask;
  }
}
