import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { type JsonMember, JsonMembers } from "./json_members.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The members of a text that comes in pieces of these sizes, in turn. */
function membersOf(text: string, sizes: readonly number[], bytesMax = Infinity): JsonMember[] {
  const members: JsonMember[] = [];
  const reader = new JsonMembers(
    (name) => name.startsWith("l"),
    (it) => members.push(it),
    bytesMax,
  );
  const bytes = encoder.encode(text);
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length];
    reader.push(bytes.subarray(at, at + size));
    at += size;
  }
  reader.end();
  return members;
}

/** What an object has, as its members are told. */
type Told = [name: string, inner: string | number | null, value: unknown];

function expected(value: Record<string, unknown>): Told[] {
  return Object.entries(value).flatMap(([name, member]): Told[] => {
    const isLarge = name.startsWith("l") && typeof member === "object" && member !== null;
    if (!isLarge) return [[name, null, member]];
    const isList = Array.isArray(member);
    return Object.entries(member as object).map((
      [inner, item],
    ): [string, string | number, unknown] => [name, isList ? Number(inner) : inner, item]);
  });
}

const anyObject = fc.dictionary(
  fc.oneof(fc.constantFrom("l", "list", "large", "a"), fc.string()),
  fc.jsonValue(),
  { noNullPrototype: true },
);

Deno.test("JsonMembers: every member once, with where it stands, whole, byte by byte and in any pieces", () => {
  fc.assert(
    fc.property(
      anyObject,
      fc.nat(3),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (value, indent, sizes) => {
        const text = JSON.stringify(value, null, indent);
        const bytes = encoder.encode(text);
        for (const pieces of [[], [1], sizes]) {
          const members = membersOf(text, pieces);
          deepEqual(
            members.map(({ name, inner, text }) => [name, inner, JSON.parse(text)]),
            expected(JSON.parse(text)),
          );
          for (const { text, at, bytes: length } of members) {
            equal(decoder.decode(bytes.subarray(at, at + length)), text);
          }
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

Deno.test("JsonMembers: what is no object is refused, in any pieces", () => {
  const broken = [
    ...'[] 1 null {"a" {"a":1 {"a":} {"a":1}} {"a":1},{} {"l":[1 {"l":{"b"}} {,} {:1}'.split(" "),
    '{"l":[1,]}',
    '{"l":{"a":}}',
    '{"a":1,}',
    '{"l":{"a":1,}}',
    '{"l":{} 5}',
    '{"l":{}"b":5}',
    '{"l":[],}',
    "{a:1}",
    '{"l":[,1]}',
    "",
  ];
  for (const text of broken) {
    for (const pieces of [[], [1]]) {
      throws(
        () => membersOf(text, pieces).forEach(({ text }) => JSON.parse(text)),
        SyntaxError,
        text,
      );
    }
  }
});

Deno.test("JsonMembers: one member has a bound", () => {
  const text = `{"a":"${"x".repeat(100)}"}`;
  equal(membersOf(text, [7], 102).length, 1);
  throws(() => membersOf(text, [7], 101), /too large/);
});

Deno.test("JsonMembers: bytes lost or changed are refused, or parse as JSON.parse does", () => {
  fc.assert(
    fc.property(
      anyObject,
      fc.nat(),
      fc.nat(2),
      fc.string({ maxLength: 1 }),
      (value, place, cut, put) => {
        const text = JSON.stringify(value);
        const at = place % text.length;
        const changed = text.slice(0, at) + put + text.slice(at + cut);
        let members: Told[];
        try {
          members = membersOf(changed, [5]).map((
            { name, inner, text },
          ) => [name, inner, JSON.parse(text)]);
        } catch (error) {
          equal(error instanceof SyntaxError || error instanceof TypeError, true);
          return throws(() => JSON.parse(changed).x.y.z);
        }
        const parsed = JSON.parse(changed);
        // Of a name that is there twice, both are told.
        for (const entry of expected(parsed)) equal(members.some((it) => isSame(it, entry)), true);
      },
    ),
    { numRuns: 3_000 },
  );
});

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
