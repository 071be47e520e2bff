/**
 * Bytes as text, for cases that people read: one character a byte, and
 *
 *     \r \n \t \0 \\ \xHH    the usual escapes
 *     \{TEXT*COUNT}          TEXT, COUNT times
 *     \?                     a variant's place (see protocol_cases.ts)
 *
 * Line ends of the text itself mean nothing.
 */

const ESCAPES: Readonly<Record<string, number>> = { r: 13, n: 10, t: 9, "0": 0, "\\": 92 };

/** @throws {SyntaxError} where the text is not in the notation */
export function parseBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let at = 0; at < text.length;) {
    const character = text[at];
    if (character === "\n") at++;
    else if (character !== "\\") {
      if (character.charCodeAt(0) > 126) throw new SyntaxError(`Write "${character}" as \\xHH`);
      bytes.push(character.charCodeAt(0));
      at++;
    } else at = parseEscape(text, at + 1, bytes);
  }
  return Uint8Array.from(bytes);
}

/** Takes the escape after a backslash; returns the index after it. */
function parseEscape(text: string, at: number, bytes: number[]): number {
  const simple = ESCAPES[text[at]];
  if (simple !== undefined) {
    bytes.push(simple);
    return at + 1;
  }
  if (text[at] === "x") {
    const digits = text.slice(at + 1, at + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw new SyntaxError(`Not two digits: "\\x${digits}"`);
    bytes.push(parseInt(digits, 16));
    return at + 3;
  }
  if (text[at] === "{") {
    const end = text.indexOf("}", at);
    const match = /^([^]*)\*(\d+)$/.exec(text.slice(at + 1, end));
    if (end < 0 || match === null) throw new SyntaxError("Want \\{TEXT*COUNT}");
    const part = parseBytes(match[1]);
    for (let i = 0; i < Number(match[2]); i++) bytes.push(...part);
    return end + 1;
  }
  throw new SyntaxError(`No such escape: "\\${text[at]}"`);
}

/** The bytes in the notation, on one line, without repetitions. */
export function renderBytes(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    const escape = Object.keys(ESCAPES).find((key) => ESCAPES[key] === byte);
    if (escape !== undefined) text += `\\${escape}`;
    else if (byte < 32 || byte > 126) text += `\\x${byte.toString(16).padStart(2, "0")}`;
    else text += String.fromCharCode(byte);
  }
  return text;
}

/** Text to bytes, one byte a character (Latin-1). */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Bytes to text, one character a byte. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}
