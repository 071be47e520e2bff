import assert from "node:assert/strict";
import { grpcStatusOfHttp, REFUSALS } from "../../../base/refusals.ts";
import { fieldListForTest, renderFields } from "../../../tests/protocol/http2/field_text.ts";
import { bytesOf } from "../../../tests/support/bytes_notation.ts";
import { composeGrpcRefusal, isGrpcContentType } from "./grpc.ts";

Deno.test("isGrpcContentType knows gRPC's content types and no others", () => {
  const check = (text: string) => isGrpcContentType(bytesOf(`..${text}`), 2, 2 + text.length);
  for (const text of ["application/grpc", "Application/GRPC+proto", "application/grpc;charset=x"]) {
    assert.ok(check(text), text);
  }
  for (const text of ["application/grpc-web", "application/grp", "application/json", ""]) {
    assert.ok(!check(text), text);
  }
});

Deno.test("grpcStatusOfRefusal maps statuses as gRPC's clients do, where the reason says no more", () => {
  const statuses = [200, 400, 401, 403, 404, 429, 431, 500, 502, 503, 504];
  assert.deepEqual(statuses.map(grpcStatusOfHttp), [
    2,
    13,
    16,
    7,
    12,
    14,
    2,
    2,
    14,
    14,
    14,
  ]);
});

Deno.test("composeGrpcRefusal makes one head of it, by reason before status", () => {
  const fields = fieldListForTest();
  composeGrpcRefusal(fields, { ...REFUSALS["no-endpoints"], text: "No endpoint: 100%\n" });
  assert.deepEqual(renderFields(fields), [
    ":status: 200",
    "content-type: application/grpc",
    "grpc-status: 14",
    "grpc-message: No endpoint: 100%25%0A",
    "x-weft-reason: no-endpoints",
  ]);
  composeGrpcRefusal(fields, REFUSALS["upstream-timeout"]);
  assert.ok(renderFields(fields).includes("grpc-status: 4"));
});
