// Tests of log.ts: both formats, levels, and values that try to forge a line.
import assert from "node:assert/strict";
import { AssertionError } from "./assert.ts";
import { createLog } from "./log.ts";

function logInto(lines: string[], options: Partial<Parameters<typeof createLog>[0]> = {}) {
  return createLog({
    level: "info",
    format: "json",
    sink: (line) => lines.push(line),
    now: () => Date.UTC(2026, 7, 1, 12, 3, 4, 567),
    ...options,
  });
}

Deno.test("json: one object a line with time, level, message and the fields", () => {
  const lines: string[] = [];
  logInto(lines).warn("Plan refused", { hash: "ab12", services: 3, kept: true });
  assert.deepEqual(lines, [
    '{"time":"2026-08-01T12:03:04.567Z","level":"warn","message":"Plan refused","hash":"ab12",' +
    '"services":3,"kept":true}',
  ]);
});

Deno.test("human: clock, level, message, fields", () => {
  const lines: string[] = [];
  logInto(lines, { format: "human" }).info("Listening", { address: "127.0.0.1:15001", tls: false });
  assert.deepEqual(lines, ["12:03:04.567 info  Listening address=127.0.0.1:15001 tls=false"]);
});

Deno.test("human: a value cannot forge a field, a line or a colour", () => {
  const lines: string[] = [];
  logInto(lines, { format: "human" }).info("Request", {
    path: "/a b=1\n\u001b[31m\u009b",
    empty: "",
  });
  assert.deepEqual(lines, [
    String.raw`12:03:04.567 info  Request path="/a b=1\n\u001b[31m\u009b" empty=""`,
  ]);
});

Deno.test("lighter events than the level are dropped, heavier ones are not", () => {
  const lines: string[] = [];
  const log = logInto(lines, { level: "warn", format: "human" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  assert.deepEqual(lines, ["12:03:04.567 warn  c", "12:03:04.567 error d"]);
});

Deno.test("json: a field that would hide the time, level or message is a programmer error", () => {
  assert.throws(() => logInto([]).info("x", { message: "y" }), AssertionError);
});
