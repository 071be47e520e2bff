// Tests of who may call without mutual TLS.
import { deepEqual, equal } from "node:assert/strict";
import { isStrictAt, parseMtlsRules } from "./mtls_mode.ts";

function at(port: number, ...texts: readonly string[]): boolean {
  return isStrictAt(port, texts.map((text) => parseMtlsRules(text) ?? { mode: null, ports: [] }));
}

Deno.test("parseMtlsRules: a mode, ports with theirs, in any spelling of both", () => {
  deepEqual(parseMtlsRules("strict"), { mode: "strict", ports: [] });
  deepEqual(parseMtlsRules(" Strict , 8443 = permissive,9000-9010=permissive"), {
    mode: "strict",
    ports: [
      { first: 8443, last: 8443, mode: "permissive" },
      { first: 9000, last: 9010, mode: "permissive" },
    ],
  });
  deepEqual(parseMtlsRules("80=strict")?.mode, null);
});

Deno.test("parseMtlsRules: what is no mode, names no port or says two things is null", () => {
  for (
    const text of [
      "",
      "on",
      "strict permissive",
      "strict,permissive",
      "0=strict",
      "80=",
      "80=strict=strict",
    ]
  ) {
    equal(parseMtlsRules(text), null, text);
  }
});

Deno.test("isStrictAt: the nearest place that says something of the port counts", () => {
  equal(at(80), false);
  equal(at(80, "strict"), true);
  equal(at(80, "80=permissive", "strict"), false);
  equal(at(81, "80=permissive", "strict"), true);
  equal(at(81, "80=permissive", "81=permissive", "strict"), false);
  equal(at(8443, "strict", "8443=permissive"), true);
  equal(at(8443, "strict,8443=permissive", "strict"), false);
});
