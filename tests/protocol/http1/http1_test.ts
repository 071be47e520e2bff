import assert from "node:assert/strict";
import { Random } from "../../../base/random.ts";
import { type Cuts, cutsOf } from "../../support/cuts.ts";
import {
  type Outcome,
  parseChunked,
  parseRequest,
  parseResponse,
} from "../../support/http1_outcome.ts";
import { parseProtocolCases, type ProtocolCase } from "../../support/protocol_cases.ts";

const SEED = 20_260_823;

function run({ kind, bytes }: ProtocolCase, cuts: Cuts): Outcome {
  switch (kind) {
    case "request":
      return parseRequest(bytes, cuts);
    case "chunked":
      return parseChunked(bytes, cuts);
    default:
      return parseResponse(bytes, cuts, kind === "response to HEAD");
  }
}

const folder = new URL(".", import.meta.url);
const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) =>
  name.endsWith(".md")
).sort();

for (const file of files) {
  const cases = parseProtocolCases(Deno.readTextFileSync(new URL(file, folder)));
  Deno.test(`HTTP/1.1: ${file} has cases, each named once`, () => {
    assert.ok(cases.length > 3);
    const names = new Set(cases.map(({ name, kind, bytes }) => `${name} ${kind} ${bytes}`));
    assert.equal(names.size, cases.length);
  });
  for (const headings of Map.groupBy(cases, ({ name }) => name.split(":")[0]).values()) {
    Deno.test(`HTTP/1.1: ${file.replace(".md", "")}: ${headings[0].name.split(":")[0]}`, () => {
      for (const one of headings) {
        for (const cuts of cutsOf(one.bytes.length, new Random(SEED, one.name))) {
          const outcome = run(one, cuts);
          const relevant = Object.keys(one.expected).map((key) => [key, outcome[key]]);
          const context = `${one.name} (${cuts.name}): ${JSON.stringify(outcome)}`;
          assert.deepEqual(Object.fromEntries(relevant), one.expected, context);
        }
      }
    });
  }
}
