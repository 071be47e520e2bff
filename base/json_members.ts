/**
 * JsonMembers: cuts a JSON object that comes in pieces into its members, and those of its members that are said to be large into theirs. It
 * holds one member at a time, so that a large text can be looked through without being in memory. What is inside a member it leaves
 * to `JSON.parse`.
 */

import { joinBytes } from "./bytes.ts";

/** A member, or an item of a list, with where its text stands in the whole: bytes from `at`, so many as `text` has in UTF-8. */
export interface JsonMember {
  /** Of the object itself. */
  readonly name: string;
  /** Within a large member: the name there, or the place in a list. Null: the member itself. */
  readonly inner: string | number | null;
  readonly text: string;
  readonly at: number;
  readonly bytes: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** The largest byte that is white space (RFC 8259 2). */
const SPACE = 0x20;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class JsonMembers {
  readonly #isLarge: (name: string) => boolean;
  readonly #onMember: (member: JsonMember) => void;
  readonly #bytesMax: number;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The first member of the object that this is in, and within a large one the name or the place. */
  #name = "";
  #inner: string | number | null = null;
  /** A large member is gone through: `{` or `[`. */
  #large = 0;
  /** What is being gathered: a name, what is before a value, or a value. */
  #state: "name" | "colon" | "value" | "over" = "name";
  /** Bytes of the name or the value that came with earlier pieces. */
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #isAfterComma = false;
  /** A large member has ended, and all of it has been told. */
  #isDone = false;
  /** Where what is gathered begins in the whole, and in the piece; -1: not yet. */
  #at = -1;
  #from = -1;
  #passed = 0;

  /**
   * @param isLarge whether a member's own members are wanted one by one
   * @param bytesMax the most that is gathered for one
   */
  constructor(
    isLarge: (name: string) => boolean,
    onMember: (member: JsonMember) => void,
    bytesMax: number,
  ) {
    this.#isLarge = isLarge;
    this.#onMember = onMember;
    this.#bytesMax = bytesMax;
  }

  /** @throws {SyntaxError} it is not the JSON of an object, as far as that can be seen */
  push(piece: Uint8Array): void {
    this.#from = this.#at === -1 ? -1 : 0;
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i];
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
        else if (byte === QUOTE) this.#isInString = false;
        continue;
      }
      if (byte <= SPACE) continue;
      this.#take(byte, i, piece);
    }
    if (this.#from !== -1) this.#gather(piece, piece.length);
    this.#passed += piece.length;
  }

  /** @throws {SyntaxError} the object has not ended */
  end(): void {
    if (this.#state !== "over") throw new SyntaxError("The text ends too early");
  }

  /** Depth at which members end that are being gathered. */
  get #level(): number {
    return this.#large === 0 ? 1 : 2;
  }

  #take(byte: number, i: number, piece: Uint8Array): void {
    if (this.#state === "over") throw new SyntaxError("There is more behind the end");
    const isOpen = byte === OPEN_BRACE || byte === OPEN_BRACKET;
    const isClose = byte === CLOSE_BRACE || byte === CLOSE_BRACKET;
    if (this.#depth === 0) {
      if (byte !== OPEN_BRACE) throw new SyntaxError("The text is no object");
      this.#depth = 1;
      return;
    }
    if (isClose && this.#depth === this.#level) return this.#close(byte, i, piece);
    if (byte === COMMA && this.#depth === this.#level) return this.#next(i, piece);
    if (byte === COLON && this.#state === "colon" && this.#depth === this.#level) {
      this.#named(this.#cut(i, piece).text);
      this.#state = "value";
      return;
    }
    if (isOpen && this.#startsLarge()) {
      this.#large = byte;
      this.#depth = 2;
      this.#inner = byte === OPEN_BRACKET ? 0 : null;
      this.#state = byte === OPEN_BRACKET ? "value" : "name";
      return;
    }
    if (this.#at === -1) this.#begin(i);
    if (byte === QUOTE) this.#isInString = true;
    if (this.#state === "name") {
      if (byte !== QUOTE) throw new SyntaxError("A name is missing");
      this.#state = "colon";
    }
    if (isOpen) this.#depth++;
    if (isClose) this.#depth--;
  }

  #startsLarge(): boolean {
    return this.#large === 0 && this.#depth === 1 && this.#state === "value" && this.#at === -1 &&
      this.#isLarge(this.#name);
  }

  #named(text: string): void {
    const name = JSON.parse(text);
    if (typeof name !== "string") throw new SyntaxError("A name is missing");
    if (this.#large === 0) this.#name = name;
    else this.#inner = name;
  }

  /** A comma at the level of the members. */
  #next(i: number, piece: Uint8Array): void {
    this.#emit(i, piece);
    this.#isAfterComma = true;
    this.#state = this.#large === OPEN_BRACKET ? "value" : "name";
    if (typeof this.#inner === "number") this.#inner++;
  }

  #close(byte: number, i: number, piece: Uint8Array): void {
    const isList = this.#large === OPEN_BRACKET;
    if ((byte === CLOSE_BRACKET) !== isList) throw new SyntaxError("A bracket does not fit");
    const isEmpty = this.#at === -1 &&
      (this.#state === "name" || (isList && this.#inner === 0));
    if (!isEmpty) this.#emit(i, piece);
    else if (this.#isAfterComma) throw new SyntaxError("A member is missing");
    this.#depth--;
    this.#state = this.#large === 0 ? "over" : "value";
    this.#isAfterComma = false;
    this.#isDone = this.#large !== 0;
    this.#large = 0;
    this.#inner = null;
  }

  #emit(i: number, piece: Uint8Array): void {
    if (this.#isDone) return void (this.#isDone = false);
    if (this.#state !== "value" || this.#at === -1) throw new SyntaxError("A value is missing");
    const { text, at, bytes } = this.#cut(i, piece);
    this.#onMember({ name: this.#name, inner: this.#inner, text, at, bytes });
  }

  #begin(i: number): void {
    // Nothing follows a large member but a comma or the end.
    if (this.#isDone) throw new SyntaxError("A comma is missing");
    this.#isAfterComma = false;
    this.#at = this.#passed + i;
    this.#from = i;
  }

  #gather(piece: Uint8Array, to: number): void {
    this.#gatheredBytes += to - this.#from;
    if (this.#gatheredBytes > this.#bytesMax) throw new SyntaxError("A member is too large");
    this.#gathered.push(piece.slice(this.#from, to));
  }

  /** What was gathered, up to `i` in the piece. */
  #cut(i: number, piece: Uint8Array): { text: string; at: number; bytes: number } {
    if (this.#at === -1) throw new SyntaxError("A name is missing");
    this.#gather(piece, i);
    const whole = this.#gathered.length === 1 ? this.#gathered[0] : joinBytes(this.#gathered);
    const cut = { text: decoder.decode(whole), at: this.#at, bytes: whole.length };
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#at = -1;
    this.#from = -1;
    return cut;
  }
}
