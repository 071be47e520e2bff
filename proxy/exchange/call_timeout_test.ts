import { deepEqual, equal, ok } from "node:assert/strict";
import { COMPLETE } from "../protocol/http1/head.ts";
import { Request } from "../protocol/http1/request.ts";
import { callTimeoutLine, callTimeoutMs } from "./call_timeout.ts";

const CALL = "content-type: application/grpc";

function timeoutOf(...lines: readonly string[]): number {
  const text = ["POST / HTTP/1.1", "host: app", ...lines, "", ""].join("\r\n");
  const bytes = new TextEncoder().encode(text);
  const request = new Request();
  equal(request.parse(bytes, 0, bytes.length), COMPLETE);
  return callTimeoutMs(bytes, request);
}

/** Milliseconds that a line says. */
function saidBy(line: string): number {
  const [, value = ""] = /^grpc-timeout: (\d{1,8}[HMSmun])\r\n$/.exec(line) ?? [];
  return timeoutOf(CALL, `grpc-timeout: ${value}`);
}

Deno.test("grpc-timeout is read in each unit, in eight digits at most", () => {
  const TIMES = {
    "2H": 7_200_000,
    "3M": 180_000,
    "4S": 4_000,
    "5m": 5,
    "6000u": 6,
    "7000000n": 7,
    "1n": 1e-6,
    "0n": 0,
    "00000001S": 1_000,
    "99999999H": 99_999_999 * 3_600_000,
  };
  for (const [text, ms] of Object.entries(TIMES)) {
    equal(timeoutOf(CALL, `grpc-timeout: ${text}`), ms, text);
    equal(timeoutOf(`Grpc-Timeout:${text} `, CALL), ms, text);
  }
});

Deno.test("grpc-timeout that is malformed or repeated says nothing", () => {
  for (
    const text of [
      "",
      "S",
      "5",
      "100000000m",
      "1.5S",
      "-1S",
      "+1S",
      "1 S",
      "5s",
      "5h",
      "1S,2S",
      "5x",
    ]
  ) equal(timeoutOf(CALL, `grpc-timeout: ${text}`), Infinity, text);
  equal(timeoutOf(CALL, "grpc-timeout: 1S", "grpc-timeout: 1S"), Infinity);
});

Deno.test("grpc-timeout counts for calls by gRPC only", () => {
  const TYPES = ["application/grpc", "application/grpc+proto", "application/grpc; a=b"];
  for (const type of TYPES) equal(timeoutOf(`content-type: ${type}`, "grpc-timeout: 1S"), 1_000);
  for (const type of ["application/json", "application/grpc-web", "text/application/grpc"]) {
    equal(timeoutOf(`content-type: ${type}`, "grpc-timeout: 1S"), Infinity, type);
  }
  equal(timeoutOf("grpc-timeout: 1S"), Infinity);
});

Deno.test("what is left is never said to be more than it is, nor nothing", () => {
  const LINES = [
    [0, "1n"],
    [-5, "1n"],
    [1e-9, "1n"],
    [0.001, "1000n"],
    [99.5, "99500000n"],
    [100, "100000u"],
    [99_999.999_9, "99999999u"],
    [100_000, "100000m"],
    [2 ** 31, "2147483S"],
    [99_999_999_999, "99999999S"],
    [99_999_999 * 3_600_000, "99999999H"],
  ] as const;
  deepEqual(
    LINES.map(([ms]) => callTimeoutLine(ms)),
    LINES.map(([, said]) => `grpc-timeout: ${said}\r\n`),
  );
  for (let ms = 1e-5; ms < 99_999_999 * 3_600_000; ms *= 1.37) {
    const said = saidBy(callTimeoutLine(ms));
    ok(said <= ms && said > 0.9 * ms, `${ms} ${said}`);
  }
});
