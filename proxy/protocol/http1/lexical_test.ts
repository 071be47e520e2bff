import assert from "node:assert/strict";
import { bytesOf } from "../../../tests/support/bytes_notation.ts";
import {
  equalsIgnoreCase,
  IS_AUTHORITY,
  IS_TARGET,
  IS_TARGET_LIKE,
  IS_TOKEN,
  IS_VALUE,
  latin1,
} from "./lexical.ts";

function membersOf(table: Uint8Array): string {
  return Array.from(table.keys()).filter((byte) => table[byte] === 1)
    .map((byte) => String.fromCharCode(byte)).join("");
}

const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function sorted(text: string): string {
  return [...text].sort().join("");
}

Deno.test("IS_TOKEN holds exactly the tchars of RFC 9110 5.6.2", () => {
  assert.equal(sorted(membersOf(IS_TOKEN)), sorted("!#$%&'*+-.^_`|~" + ALPHANUMERIC));
});

Deno.test("IS_VALUE holds HTAB, SP, visible ASCII and obs-text, and no control byte", () => {
  for (let byte = 0; byte < 256; byte++) {
    const isVisible = (byte >= 0x20 && byte <= 0x7e) || byte >= 0x80 || byte === 9;
    assert.equal(IS_VALUE[byte], isVisible ? 1 : 0, `${byte}`);
  }
});

Deno.test("IS_TARGET holds what RFC 3986 allows in paths and queries, and square brackets", () => {
  const marks = "-._~" + "!$&'()*+,;=" + ":@/?%" + "[]";
  assert.equal(sorted(membersOf(IS_TARGET)), sorted(marks + ALPHANUMERIC));
});

Deno.test("IS_TARGET_LIKE holds visible ASCII without the fragment's mark", () => {
  for (let byte = 0; byte < 256; byte++) {
    const isTarget = byte >= 0x21 && byte <= 0x7e && String.fromCharCode(byte) !== "#";
    assert.equal(IS_TARGET_LIKE[byte], isTarget ? 1 : 0, `${byte}`);
  }
});

Deno.test("IS_AUTHORITY has no user information and nothing that ends an authority", () => {
  const members = membersOf(IS_AUTHORITY);
  assert.equal(sorted(members), sorted("-._~!$&'()*+,;=%:[]" + ALPHANUMERIC));
  for (const mark of '@/?#\\ "<>') assert.ok(!members.includes(mark));
});

Deno.test("equalsIgnoreCase folds ASCII letters and nothing else", () => {
  const check = (text: string, other: string) => {
    const bytes = bytesOf(`..${text}..`);
    return equalsIgnoreCase(bytes, 2, 2 + text.length, other);
  };
  assert.ok(check("Content-LENGTH", "content-length"));
  assert.ok(!check("content-lengt", "content-length"));
  assert.ok(!check("content-lengthx", "content-length"));
  // These differ from a letter or mark in the bit that tells upper from lower case.
  assert.ok(!check("content\rlength", "content-length"));
  assert.ok(!check("[", "{"));
  assert.ok(!check("@", "`"));
  assert.ok(!check("\xcb", "k") && !check("K\xaa", "k"));
});

Deno.test("latin1 gives one character a byte", () => {
  assert.equal(latin1(bytesOf("a\xe9\0b"), 1, 3), "\xe9\0");
});
