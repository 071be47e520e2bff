// Test of edited text: whatever the document, it says afterwards what the operations make of what it said before.
import assert from "node:assert/strict";
import { applyPatch } from "../../controller/inject/patch.ts";
import { readDocuments } from "../../schemas/documents.ts";
import { SourceText } from "../../schemas/positions.ts";
import { editText } from "./edit_text.ts";

const ROOT = new URL("../../", import.meta.url);

/** Values that YAML 1.1, which kubectl reads, takes for something else where they are not quoted. */
const ADDED = [
  "yes",
  "y",
  "on",
  "010",
  "0x1",
  "1.5",
  "1e3",
  "null",
  "~",
  "",
  " a ",
  "a: b",
  "#",
  1,
];

const HARD = `# before
"quoted": 'it''s'
octal: 0644
words: [yes, No, on, ~, null, 1.50, 0x10, 1e3, "1", 2001-01-01]
folded: >-
  one
  two

  three
literal: |2+
   kept

? complex
: value
list:
- a

- b # two
-
  - c
empty:
flow: {a: [1, {b: c}], d: "x: y"}
long: ${"word ".repeat(60)}
plain: one
  two
unicode: "\\u00e9 \\t é"
`;

function read(text: string) {
  return readDocuments(new SourceText("-", text), ({ message }) => assert.fail(message));
}

function* corpus(): Generator<[name: string, text: string]> {
  yield ["hard", HARD];
  yield ["json", '{"a": {"b": [1, "yes"]}}'];
  yield ["alias", "a: &x {b: c}\nd: *x\ne: {<<: *x}\n"];
  for (const folder of ["tests/golden/", "examples/"]) {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
      if (!isDirectory) continue;
      const inner = new URL(`${folder}${name}/`, ROOT);
      for (const { name } of Deno.readDirSync(inner)) {
        if (!name.endsWith(".yaml")) continue;
        yield [`${inner.pathname}${name}`, Deno.readTextFileSync(new URL(name, inner))];
      }
    }
  }
}

Deno.test("edit: a document says what the operations make of it, and nothing else is another", () => {
  let edited = 0;
  for (const [name, unix] of corpus()) {
    for (const text of [unix, unix.replace(/\n/g, "\r\n"), `# about it\n\n${unix}\n# end`]) {
      if (name.endsWith("mistakes/in.yaml")) continue;
      for (const { value, piece } of read(text)) {
        const operations = [{ op: "add" as const, path: "/zzz", value: { a: ADDED } }];
        const whole = text.slice(...piece).replace(/^\r?\n/, "");
        const after = editText(whole, [{ value, operations }]);
        const expected = [applyPatch(value, operations)];
        assert.deepEqual(read(after).map(({ value }) => value), expected, name);
        edited++;
      }
    }
  }
  assert.ok(edited > 100, `${edited} documents`);
});
