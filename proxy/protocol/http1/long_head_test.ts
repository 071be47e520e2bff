/** Long heads are parsed again only where they may be whole, and come to the same as heads that are looked at with every byte. */
import assert from "node:assert/strict";
import { Random } from "../../../base/random.ts";
import { bytesOf } from "../../../tests/support/bytes_notation.ts";
import { type Cuts, randomCuts } from "../../../tests/support/cuts.ts";
import { HEADERS_EXPECTED } from "../../../routing/request.ts";
import { COMPLETE, INCOMPLETE } from "./head.ts";
import { mayEndHead } from "./lexical.ts";
import { Request } from "./request.ts";

const LINES = "x-line: of forty bytes, as many are of it\r\n".repeat(150);
const HEAD = `GET / HTTP/1.1\r\nhost: a\r\n${LINES}`;

/** What parsing comes to, and how often it was begun. */
function read(bytes: Uint8Array, { ends }: Cuts): { result: number; count: number } {
  const request = new Request();
  let [parsed, count] = [0, 0];
  for (const end of ends) {
    if (parsed > 0 && !mayEndHead(bytes, 0, parsed, end)) continue;
    count++;
    const result = request.parse(bytes, 0, end);
    if (result !== INCOMPLETE) return { result, count };
    parsed = end;
  }
  return { result: INCOMPLETE, count };
}

Deno.test("A long head comes to the same in whatever pieces it comes", () => {
  const random = new Random(3, "long heads");
  const ENDINGS = [
    "\r\n",
    "\n",
    "\n\n",
    "x\n\r\n",
    "\r\r\n\r\n",
    "bad line\r\n\r\n",
    ": v\r\n\r\n",
  ];
  for (const ending of ENDINGS) {
    const bytes = bytesOf(HEAD + ending);
    const whole = new Request().parse(bytes, 0, bytes.length);
    assert.notEqual(whole, INCOMPLETE);
    for (let i = 0; i < 50; i++) {
      const cuts = randomCuts(bytes.length, random);
      assert.equal(read(bytes, cuts).result, whole, `${JSON.stringify(ending)}, ${cuts.name}`);
    }
  }
});

Deno.test("A long head that comes byte by byte is not parsed with every line", () => {
  const bytes = bytesOf(`${HEAD}\r\n`);
  const ends = Array.from({ length: bytes.length }, (_, i) => i + 1);
  const { result, count } = read(bytes, { name: "byte by byte", ends });
  assert.equal(result, COMPLETE);
  // As long as it is short, the ends of its lines; then only its own.
  assert.ok(count <= 110, `${count} times`);
});

Deno.test("A request's table of headers grows where it must, and tells", () => {
  const request = new Request();
  const few = bytesOf(
    `GET / HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(HEADERS_EXPECTED - 1)}\r\n`,
  );
  assert.equal(request.parse(few, 0, few.length), COMPLETE);
  assert.ok(!request.isGrown);
  const bytes = bytesOf(`${HEAD}\r\n`);
  assert.equal(request.parse(bytes, 0, bytes.length), COMPLETE);
  assert.ok(request.isGrown && request.routed.headers === request.headers);
  assert.equal(request.countOf(bytes, "x-line"), 150);
});
