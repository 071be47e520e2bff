import { deepEqual, equal, match } from "node:assert/strict";
import fc from "fast-check";
import { compile } from "../compile/compile.ts";
import { anySnapshot } from "../compile/snapshot_for_test.ts";
import { hashPart, type Part, type PartKey, partsOf, planHeaderOf } from "../parts.ts";
import type { SourceRequest, SourceUpdate } from "./messages.ts";
import { hostQuestion } from "./messages.ts";
import { decodeRequest, decodeUpdate } from "./wire.ts";

const anyUpdate = fc.tuple(anySnapshot, fc.boolean()).map(
  ([snapshot, permissive]): SourceUpdate => {
    const { plan } = compile(snapshot, { permissive });
    const parts = [...partsOf(plan)];
    return {
      header: planHeaderOf(plan),
      answers: parts.map(([key], i) => [hostQuestion("app", `h${i}`), i % 3 === 0 ? null : [key]]),
      parts: parts.map((
        [key, part],
        i,
      ) => [key, i % 5 === 4 ? null : { hash: hashPart(part), part }]),
    };
  },
);

function problemOf(value: unknown): string {
  const decoded = decodeUpdate(typeof value === "string" ? value : JSON.stringify(value));
  return decoded.ok ? "" : decoded.problem;
}

Deno.test("wire: what a source writes is read, whatever it is", () => {
  fc.assert(
    fc.property(anyUpdate, (update) => {
      deepEqual(decodeUpdate(JSON.stringify(update)), { ok: true, message: update });
    }),
    { numRuns: 200 },
  );
  const request: SourceRequest = {
    ask: [hostQuestion("app", "web"), "address 10.0.0.1", "address fd00::1", "access app/sa"],
    drop: [],
    held: { "route app/web": "0".repeat(64) },
  };
  deepEqual(decodeRequest(JSON.stringify(request)), { ok: true, message: request });
});

Deno.test("wire: what no source would write is refused in one line", () => {
  const header = { version: 2, clusterDomain: "cluster.local", permissive: true };
  const part: Part = { endpoints: [] };
  const hash = hashPart(part);
  const with_ = (more: object) => ({ answers: [], parts: [], ...more });
  match(problemOf("{"), /not JSON/);
  match(problemOf("[]"), /must be an object/);
  match(problemOf({ parts: [] }), /"answers" must be present/);
  match(problemOf(with_({ header: { ...header, version: 9 } })), /has version 9/);
  match(problemOf(with_({ header: { ...header, requires: ["later"] } })), /needs "later"/);
  match(problemOf(with_({ header: { ...header, permissive: 1 } })), /permissive/);
  match(problemOf(with_({ answers: [["who", []]] })), /answers\[0\]\[0\]/);
  match(problemOf(with_({ answers: [["host app web", ["path app/web"]]] })), /answers\[0\]\[1\]/);
  match(problemOf(with_({ parts: [["group app/web:80", { hash: "0", part }]] })), /hash/);
  match(
    problemOf(with_({ parts: [["group app/web:80", { hash: hash.replace(/./, "x"), part }]] })),
    /hash/,
  );
  match(
    problemOf(with_({ parts: [["group app/web:80", { hash: "0".repeat(64), part }]] })),
    /"parts\[0\]\[1\]\.hash" must be that of the part/,
  );
  const route = (name: string) => ({
    service: { namespace: "app", name, clusterIps: [], ports: [], podHosts: [], position: null },
  });
  const hashedRoute = { hash: hashPart(route("other") as Part), part: route("other") };
  match(problemOf(with_({ parts: [["route app/web", hashedRoute]] })), /of the Service "app\/web"/);
  equal(problemOf(with_({ parts: [["route app/other", hashedRoute]] })), "");
  match(problemOf(`"${"x".repeat(16 * 1024 * 1024)}"`), /more than/);
  equal(decodeRequest('{"ask":["host app a b"],"drop":[]}').ok, false);
  equal(decodeRequest('{"ask":[],"drop":[],"held":{"route app/web":"short"}}').ok, false);
});

Deno.test("wire: bytes lost or changed never throw, and never pass for another part", () => {
  fc.assert(
    fc.property(
      anyUpdate,
      fc.nat(),
      fc.nat(3),
      fc.string({ maxLength: 2 }),
      (update, place, cut, put) => {
        const text = JSON.stringify(update);
        const at = place % text.length;
        const decoded = decodeUpdate(text.slice(0, at) + put + text.slice(at + cut));
        if (!decoded.ok) return equal(decoded.problem.includes("\n"), false);
        const known = new Map<PartKey, string | undefined>(
          update.parts.map(([key, part]) => [key, part?.hash]),
        );
        for (const [key, hashed] of decoded.message.parts) {
          // A key may have become another one; then its part does not fit it, or is a group's, which says nothing of its own key.
          if (hashed === null || key.startsWith("group ")) continue;
          equal(hashed.hash, known.get(key));
        }
      },
    ),
    { numRuns: 1_000 },
  );
});
