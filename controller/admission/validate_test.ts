// What is refused, what is warned about, and what passes unseen.
import { deepEqual, equal, match } from "node:assert/strict";
import { makeFinding } from "../../schemas/report.ts";
import { WARNING_CHARACTERS_MAX, WARNINGS_MAX } from "../limits.ts";
import type { AdmissionRequest } from "./review.ts";
import { validate, type WriteOutcome } from "./validate.ts";

const REF = { kind: "TrafficSplit", namespace: "app", name: "web" };
const words = { message: "It is wrong", hint: "Mend it" };
const object = { metadata: { name: "web" }, spec: { service: "web" } };
const request: AdmissionRequest = {
  uid: "u",
  kind: { group: "split.smi-spec.io", kind: "TrafficSplit" },
  operation: "CREATE",
  namespace: "app",
  object,
};

function outcomeOf(...came: WriteOutcome["came"]): () => WriteOutcome {
  return () => ({ ref: REF, came });
}

const OWN_ERROR = makeFinding("weight-negative", { ...words, resource: REF, field: "spec.x" });

Deno.test("validation: an error of the object that is written refuses it", () => {
  const { allowed, status } = validate(request, outcomeOf(OWN_ERROR));
  deepEqual([allowed, status?.code, status?.reason], [false, 422, "Invalid"]);
  equal(status?.message, "spec.x: It is wrong. Mend it (weight-negative)");
});

Deno.test("validation: an error of another object, or one that waits for another, is a warning", () => {
  const other = { ...REF, name: "api" };
  const { allowed, warnings } = validate(
    request,
    outcomeOf(
      makeFinding("weight-negative", { ...words, resource: other }),
      makeFinding("split-root-missing", { ...words, resource: REF }),
      makeFinding("backend-is-root", { ...words, resource: REF }),
    ),
  );
  equal(allowed, true);
  deepEqual(warnings, [
    "TrafficSplit app/api: It is wrong. Mend it (weight-negative)",
    "It is wrong. Mend it (split-root-missing)",
  ]);
});

Deno.test("validation: deletions, status and what asks for nothing else pass without a look", () => {
  const refuse = outcomeOf(OWN_ERROR);
  const touched = { ...object, metadata: { name: "web", labels: { a: "b" } }, status: {} };
  for (
    const passed of [
      { ...request, operation: "DELETE" },
      { ...request, operation: "UPDATE", subResource: "status", oldObject: {} },
      { ...request, operation: "UPDATE", object: touched, oldObject: object },
    ]
  ) deepEqual(validate(passed, refuse), { allowed: true });
  equal(validate({ ...request, operation: "UPDATE", oldObject: {} }, refuse).allowed, false);
});

Deno.test("validation: while nothing is known everything passes", () => {
  deepEqual(validate(request, () => null), { allowed: true });
});

Deno.test("validation: warnings are few and short", () => {
  const long = "x".repeat(2 * WARNING_CHARACTERS_MAX);
  const came = Array.from(
    { length: WARNINGS_MAX + 5 },
    (_, i) => makeFinding("weights-all-zero", { message: `${i} ${long}`, hint: "", resource: REF }),
  );
  const { warnings = [] } = validate(request, outcomeOf(...came));
  equal(warnings.length, WARNINGS_MAX + 1);
  equal(Math.max(...warnings.map(({ length }) => length)), WARNING_CHARACTERS_MAX);
  match(warnings.at(-1) ?? "", /^5 more/);
});

Deno.test("validation: an object whose name is still to be made has one", () => {
  let seen: unknown;
  validate({ ...request, object: { metadata: { generateName: "web-" } } }, (named) => {
    seen = named["metadata"];
    return null;
  });
  deepEqual(seen, { generateName: "web-", name: "web-0", namespace: "app" });
});
