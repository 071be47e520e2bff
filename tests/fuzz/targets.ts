/** The targets: those of HTTP/1.1 here, the others gathered; each says what must hold for any input. */
import assert from "node:assert/strict";
import type { Random } from "../../base/random.ts";
import { bytesOf, parseBytes, renderBytes, textOf } from "../support/bytes_notation.ts";
import { type Cuts, randomCuts } from "../support/cuts.ts";
import {
  type Outcome,
  parseChunked,
  parseRequest,
  parseResponse,
} from "../support/http1_outcome.ts";
import type { Target } from "./fuzz.ts";
import { chunkedText, damage, randomRequest, randomResponse } from "./generate.ts";
import { CERTIFICATE_TARGETS } from "./targets_certificates.ts";
import { DETECTION_TARGETS } from "./targets_detection.ts";
import { HTTP2_TARGETS } from "./targets_http2.ts";
import { ROUTING_TARGETS } from "./targets_routing.ts";
import { TEXT_TARGETS } from "./targets_text.ts";
import { type Facts, readChunked, readRequest, readResponse } from "./reference.ts";

/** The same outcome however the bytes arrive; the outcome. */
function sameForAnyCuts(
  bytes: Uint8Array,
  random: Random,
  parse: (cuts: Cuts) => Outcome,
): Outcome {
  const outcome = parse({ name: "whole", ends: [bytes.length] });
  for (let i = 0; i < 3; i++) {
    const cuts = randomCuts(bytes.length, random);
    assert.deepEqual(parse(cuts), outcome, cuts.name);
  }
  return outcome;
}

/** The machine takes what the reference takes, as the same, and refuses or awaits the rest. */
function agrees(outcome: Outcome, facts: Facts | null): void {
  const isTaken = outcome.incomplete === undefined && outcome.refused === undefined;
  assert.equal(
    isTaken,
    facts !== null,
    `${JSON.stringify(outcome)} is not ${JSON.stringify(facts)}`,
  );
  if (facts === null) return;
  const relevant = Object.keys(facts).map((key) => [key, outcome[key]]);
  const expected = Object.entries(facts).map(([key, value]) => [key, renderBytes(bytesOf(value))]);
  assert.deepEqual(Object.fromEntries(relevant), Object.fromEntries(expected));
}

const request: Target = {
  name: "request",
  invariant: "Same outcome for any cuts; taken, and understood, exactly as by the reference",
  generate: (random) => bytesOf(damage(random, randomRequest(random))),
  check(bytes, random) {
    const outcome = sameForAnyCuts(bytes, random, (cuts) => parseRequest(bytes, cuts));
    agrees(outcome, readRequest(textOf(bytes)));
  },
};

const response: Target = {
  name: "response",
  invariant: "Same outcome for any cuts; taken, and understood, exactly as by the reference",
  generate: (random) => bytesOf(damage(random, randomResponse(random))),
  check(bytes, random) {
    const outcome = sameForAnyCuts(bytes, random, (cuts) => parseResponse(bytes, cuts, false));
    agrees(outcome, readResponse(textOf(bytes)));
  },
};

/** What a request means to the next server. */
const MEANING = ["method", "path", "authority", "body", "expects", "upgrade"];

function meaningOf(outcome: Outcome): string[] {
  // The asterisk is passed on for a target that has no path.
  return MEANING.map((fact) => fact === "path" && outcome.path === "*" ? "" : outcome[fact]);
}

const forwarded: Target = {
  name: "forwarded",
  invariant:
    "What is passed on is one request that means the same, and passing that on again changes only " +
    "X-Forwarded-For",
  generate: (random) => bytesOf(damage(random, randomRequest(random))),
  check(bytes) {
    const once = parseRequest(bytes, whole(bytes));
    if (once.forwarded === undefined || once.method === "CONNECT") return;
    const sent = parseBytes(once.forwarded);
    const twice = parseRequest(sent, whole(sent));
    assert.equal(twice.end, `${sent.length}`, `${JSON.stringify(twice)} after ${once.forwarded}`);
    assert.deepEqual(meaningOf(twice), meaningOf(once));
    assert.equal(twice.persistent, "yes");
    assert.match(textOf(sent), /^[^\r]* HTTP\/1\.1\r\n/);
    // The header that grows is now the last but one; all else stays where it is.
    assert.equal(withoutForwarded(twice.forwarded), withoutForwarded(once.forwarded));
  },
};

function whole(bytes: Uint8Array): Cuts {
  return { name: "whole", ends: [bytes.length] };
}

function withoutForwarded(head: string): string {
  return head.split("\\r\\n").filter((line) =>
    !/^(x-forwarded-(for|proto)|connection):/i.test(line)
  )
    .join("\\r\\n");
}

const answered: Target = {
  name: "answered",
  invariant: "What is passed on of an answer is one answer with the same status and the same end",
  generate: (random) => bytesOf(damage(random, randomResponse(random))),
  check(bytes) {
    const once = parseResponse(bytes, whole(bytes), false);
    if (once.forwarded === undefined) return;
    const sent = parseBytes(once.forwarded);
    const twice = parseResponse(sent, whole(sent), false);
    assert.deepEqual(
      [twice.status, twice.body, twice.end, twice.forwarded],
      [once.status, once.body, `${sent.length}`, once.forwarded],
    );
  },
};

function chunkedWith(name: string, invariant: string, isLax: boolean): Target {
  return {
    name,
    invariant,
    generate: (random) => bytesOf(damage(random, chunkedText(random))),
    check(bytes, random) {
      const outcome = sameForAnyCuts(bytes, random, (cuts) => parseChunked(bytes, cuts));
      const facts = readChunked(textOf(bytes), isLax);
      if (facts.ends !== "done") return assert.notEqual(outcome.ends, "done");
      const expected = Object.entries(facts).map(([key, value]) => [
        key,
        renderBytes(bytesOf(value)),
      ]);
      assert.deepEqual(outcome, Object.fromEntries(expected));
    },
  };
}

const chunked = chunkedWith(
  "chunked",
  "Same end and data for any cuts, exactly as the reference finds them; extensions and what may not trail left out",
  false,
);

/** Must fail: its reference takes a bare LF for the end of a chunk's line, which the machine refuses. */
export const CANARY: Target = chunkedWith("canary", "Wrong on purpose", true);

export const TARGETS: readonly Target[] = [
  request,
  response,
  forwarded,
  answered,
  chunked,
  ...HTTP2_TARGETS,
  ...DETECTION_TARGETS,
  ...TEXT_TARGETS,
  ...CERTIFICATE_TARGETS,
  ...ROUTING_TARGETS,
];
