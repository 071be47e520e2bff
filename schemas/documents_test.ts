import assert from "node:assert/strict";
import { formatPosition } from "../base/finding.ts";
import type { DocumentError, SourceDocument } from "./document.ts";
import { readDocuments } from "./documents.ts";
import { MANIFEST_LIMITS } from "./limits.ts";
import { SourceText } from "./positions.ts";

function read(text: string) {
  const source = new SourceText("f", text);
  const errors: DocumentError[] = [];
  const documents = readDocuments(source, (error) => errors.push(error));
  return {
    documents,
    values: documents.map(({ value }) => value),
    errors: errors.map(({ code, offset }) =>
      `${code} ${formatPosition(source.positionAt(offset))}`
    ),
    hints: errors.map(({ hint }) => hint),
  };
}

function at(document: SourceDocument | undefined, ...path: (string | number)[]): string {
  const position = document?.origin.locate(path);
  return position === undefined ? "-" : `${position.line}:${position.column}`;
}

Deno.test("documents: comments, blank and empty documents are no documents", () => {
  const { values, errors } = read("# only\n---\n---\na: 1\n...\n# end\n---\nb: 2\n--- # more\n\n");
  assert.deepEqual(values, [{ a: 1 }, { b: 2 }]);
  assert.deepEqual(errors, []);
});

Deno.test("documents: a broken one loses only itself, whatever is open in it", () => {
  for (const broken of ["a: [1", 'a: "x', "a: {b: c", "a: 'x", "a: b: c", "\ta: 1", "a:\n\tb: 1"]) {
    const { values, errors } = read(`first: 1\n---\n${broken}\n---\nlast: 3\n`);
    assert.deepEqual(values, [{ first: 1 }, { last: 3 }], broken);
    assert.equal(errors.length, 1, broken);
    assert.match(errors[0] ?? "", /^yaml-syntax f:[345]:/);
  }
});

Deno.test("documents: the error of a tab says where it is and that spaces are wanted", () => {
  const { errors, hints } = read("a: 1\n---\nb:\n\tc: 1\n");
  assert.deepEqual(errors, ["yaml-syntax f:4:1"]);
  assert.match(hints[0] ?? "", /spaces.*tabs/);
});

Deno.test("documents: a key that stands twice is refused, in YAML and in JSON", () => {
  assert.deepEqual(read("a: 1\nb: 2\na: 3\n").errors, ["yaml-syntax f:3:1"]);
  assert.deepEqual(read('{"a": 1,\n "a": 2}').errors, ["yaml-syntax f:2:2"]);
});

Deno.test("documents: two documents in one file after `...` and after `--- text`", () => {
  const { values } = read("a: 1\n...\n---\nb: 2\n--- {c: 3}\n");
  assert.deepEqual(values, [{ a: 1 }, { b: 2 }, { c: 3 }]);
});

Deno.test("documents: a directive stays with its document", () => {
  const { values, errors } = read("%YAML 1.1\n---\na: 1\n---\nb: 2\n");
  assert.deepEqual([values, errors], [[{ a: 1 }, { b: 2 }], []]);
});

Deno.test("documents: scalars are those of kubectl: YAML 1.1 booleans and octals, dates as text", () => {
  const { values } = read(
    "[on, No, y, true, 0755, 0o17, 0x1f, 1_000, 1e3, 2024-01-01, 12:30:45, ~, 'on', \"0755\", 1.5]",
  );
  assert.deepEqual(values, [[
    true,
    false,
    true,
    true,
    493,
    15,
    31,
    1000,
    1000,
    "2024-01-01",
    "12:30:45",
    null,
    "on",
    "0755",
    1.5,
  ]]);
});

Deno.test("documents: a null field is absent, and its place is still known", () => {
  const { values, documents } = read("a:\nb: 1\n");
  assert.deepEqual(values, [{ b: 1 }]);
  assert.equal(at(documents[0], "a"), "1:1");
});

Deno.test("documents: keys that are no text become text, as for kubectl; maps are refused", () => {
  assert.deepEqual(read("80: a\ntrue: b\n").values, [{ "80": "a", "true": "b" }]);
  assert.deepEqual(read("? {a: b}\n: c\n").errors, ["yaml-syntax f:1:3"]);
});

Deno.test("documents: positions in YAML count from the file, with comments and documents before", () => {
  const { documents } = read(
    "# head\na: 1\n---\n\nspec:\n  # why\n  backends:\n  - service: x\n    weight: 5\n  -\n    service: y\n",
  );
  const second = documents[1];
  assert.equal(at(documents[0]), "2:1");
  assert.equal(at(second), "5:1");
  assert.equal(at(second, "spec", "backends"), "7:3");
  assert.equal(at(second, "spec", "backends", 0), "8:5");
  assert.equal(at(second, "spec", "backends", 0, "weight"), "9:5");
  assert.equal(at(second, "spec", "backends", 1, "service"), "11:5");
  // No such field: the nearest ancestor.
  assert.equal(at(second, "spec", "backends", 1, "weight"), "11:5");
  assert.equal(at(second, "spec", "service", "x"), "5:1");
  assert.equal(at(second, "status", 3), "5:1");
});

Deno.test("documents: lines that end in CR LF count the same", () => {
  const { documents } = read("a: 1\r\n---\r\nb:\r\n  c: 1\r\n");
  assert.deepEqual(documents.map(({ value }) => value), [{ a: 1 }, { b: { c: 1 } }]);
  assert.equal(at(documents[1], "b", "c"), "4:3");
});

Deno.test("documents: a field that came through an alias stands where the anchor has it", () => {
  const { values, documents } = read("base: &x\n  p: 1\n  l: [7]\nuse: *x\nitems:\n- *x\n");
  const x = { p: 1, l: [7] };
  assert.deepEqual(values, [{ base: x, use: x, items: [x] }]);
  assert.equal(at(documents[0], "use"), "4:1");
  assert.equal(at(documents[0], "use", "p"), "2:3");
  assert.equal(at(documents[0], "items", 0), "6:3");
  assert.equal(at(documents[0], "items", 0, "l", 0), "3:7");
});

Deno.test("documents: merge keys: own keys win wherever they stand, then the earlier map", () => {
  const { values, documents } = read(
    "a: &a {p: 1, q: 2}\nb: &b {q: 3, r: 4}\nc:\n  r: 9\n  <<: [*a, *b]\n",
  );
  assert.deepEqual((values[0] as { c: unknown }).c, { r: 9, p: 1, q: 2 });
  assert.equal(at(documents[0], "c", "q"), "1:14");
  assert.equal(at(documents[0], "c", "r"), "4:3");
  assert.deepEqual(read("a: &a 5\nb:\n  <<: *a\n").errors, ["yaml-syntax f:3:3"]);
});

Deno.test("documents: an alias without an anchor, and one within its own, are refused", () => {
  assert.deepEqual(read("a: *nothing\n").errors, ["yaml-syntax f:1:4"]);
  assert.deepEqual(read("a: &a [*a]\n").errors, ["yaml-syntax f:1:8"]);
});

Deno.test("documents: a name that is anchored again means the newer one from there on", () => {
  assert.deepEqual(read("a: &n 1\nb: *n\nc: &n 2\nd: *n\n").values, [{ a: 1, b: 1, c: 2, d: 2 }]);
});

Deno.test("documents: aliases that stand for too much are refused, and quickly", () => {
  const levels = Array.from({ length: 40 }, (_, level) => {
    const items = Array(9).fill(level === 0 ? "x" : `*l${level - 1}`).join(", ");
    return `l${level}: &l${level} [${items}]`;
  });
  const { errors, values } = read(`${levels.join("\n")}\n---\nok: 1\n`);
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", /^limit-exceeded f:6:/);
  assert.deepEqual(values, [{ ok: 1 }]);
});

Deno.test("documents: nesting is limited, also where aliases make it", () => {
  const depth = MANIFEST_LIMITS.nestingMax;
  const nested = (open: string, close: string, levels: number) =>
    open.repeat(levels) + close.repeat(levels);
  assert.deepEqual(read(nested("[", "]", depth)).errors, []);
  assert.equal(read(nested("[", "]", depth + 1)).errors.length, 1);
  assert.deepEqual(read(`# YAML\n${nested("[", "]", depth)}`).errors, []);
  assert.deepEqual(read(`# YAML\n${nested("[", "]", depth + 1)}`).errors, [
    "limit-exceeded f:2:101",
  ]);
  const chain = Array.from({ length: depth + 2 }, (_, level) => {
    return `l${level}: &l${level} [${level === 0 ? "x" : `*l${level - 1}`}]`;
  });
  assert.match(read(chain.join("\n")).errors[0] ?? "", /^limit-exceeded/);
});

Deno.test("documents: control characters are refused where they stand", () => {
  assert.deepEqual(read("a: 1\n---\nb: x\u0000y\n---\nc: 1\n").errors, ["yaml-syntax f:3:5"]);
});

Deno.test("documents: JSON with places, tabs, escapes and several objects", () => {
  const { values, documents, errors } = read(
    '{\n\t"a": {"b\\u0041": [1, {"c": null, "d": "\\ud83d\\ude00\\\\"}]}\n}\n{"e": -1.5e2}\n',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(values, [{ a: { bA: [1, { d: "😀\\" }] } }, { e: -150 }]);
  assert.equal(at(documents[0], "a"), "2:2");
  assert.equal(at(documents[0], "a", "bA", 1, "c"), "2:24");
  assert.equal(at(documents[1], "e"), "4:2");
});

Deno.test("documents: YAML flow style that looks like JSON is read as YAML", () => {
  assert.deepEqual(read("{a: b, 'c': [d]}\n").values, [{ a: "b", c: ["d"] }]);
  assert.deepEqual(read('{"a": 1} # note\n').values, [{ a: 1 }]);
});

Deno.test("documents: JSON that is cut off is an error at a place", () => {
  const { values, errors } = read('{"a": {"b": 1}');
  assert.deepEqual(values, []);
  assert.equal(errors.length, 1);
});

Deno.test("documents: fields with names of JavaScript's own are just fields", () => {
  for (
    const text of ["__proto__: {a: 1}\nconstructor: x\n", '{"__proto__":{"a":1},"constructor":"x"}']
  ) {
    const [value] = read(text).values as Record<string, unknown>[];
    assert.deepEqual(Object.keys(value ?? {}), ["__proto__", "constructor"]);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  }
});

Deno.test("documents: what a broken one seems to be called is known", () => {
  const cases: Readonly<Record<string, unknown>> = {
    "apiVersion: v1\nkind: Service\nmetadata:\n  namespace: app\n  name: web\nspec: [\n": {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "app" },
    },
    '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, ': {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
    },
    "apiVersion: v1\nkind: [\n": undefined,
    "Error: nothing: [\n": undefined,
  };
  for (const [text, value] of Object.entries(cases)) {
    const errors: unknown[] = [];
    const documents = readDocuments(new SourceText("f", text), (error) => errors.push(error));
    assert.equal(errors.length, 1, text);
    assert.deepEqual(
      documents.map(({ value, isBroken }) => [value, isBroken]),
      value === undefined ? [] : [[value, true]],
    );
  }
});
