/** Tests of taps: what a filter takes, when reporting is on, and what becomes of a slow reader. */
import assert from "node:assert/strict";
import type { RequestRecord } from "./request_record.ts";
import { TAP_RECORDS_MAX, TAPS_MAX } from "../limits.ts";
import { type TapDemand, Taps } from "./tap.ts";
import { matchesTap, parseTapFilter, type TapFilter, unknownIn } from "./tap_filter.ts";
import { planForTest, ruleForTest, serviceForTest } from "../../routing/table/plan_for_test.ts";

const RECORD: RequestRecord = {
  listener: 0,
  peer: "127.0.0.1",
  source: "shop/cart",
  protocol: "HTTP/1.1",
  method: "GET",
  authority: "web:80",
  path: "/a/b?c",
  status: 503,
  reason: "upstream-refused",
  requestBytes: 0,
  responseBytes: null,
  grpcStatus: null,
  service: "shop/web:80",
  rule: "shop/routes/writes",
  split: "shop/canary",
  backend: "shop/web",
  pod: "",
  endpoint: "",
  attempts: 1,
  trace: "",
  headers: { "x-user": "bob", "x-empty": "" },
  durationMs: 1,
  planWaitMs: 0,
  plan: "",
};

function filterOf(query: string): TapFilter {
  const filter = parseTapFilter(new URLSearchParams(query));
  return typeof filter === "string" ? assert.fail(filter) : filter;
}

/** Taps, and what the event loops were told. */
function recordingTaps(): { taps: Taps; told: TapDemand[] } {
  const told: TapDemand[] = [];
  return {
    told,
    taps: new Taps((demand) => {
      told.push(demand);
      return Promise.resolve();
    }),
  };
}

async function open(taps: Taps, query = ""): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const stream = await taps.open(filterOf(query));
  return stream?.getReader() ?? assert.fail("no tap");
}

async function readLine(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<unknown> {
  const { value, done } = await reader.read();
  return done ? undefined : JSON.parse(new TextDecoder().decode(value));
}

Deno.test("tap: each filter takes what it says and nothing else", () => {
  const taken = (query: string) => matchesTap(filterOf(query), RECORD);
  const takes = ["", "method=get", "path=/a/", "status=5xx", "status=503", "service=shop/web"];
  takes.push("service=shop/web:80", "method=GET&path=/a&status=503&service=shop/web");
  for (const query of takes) assert.ok(taken(query), query);
  const leaves = ["method=POST", "path=/b", "status=4xx", "status=502", "service=shop/we"];
  leaves.push("service=shop/web:8", "method=GET&status=200");
  takes.push("authority=WEB", "authority=web:80", "route=shop/routes", "route=shop/routes/writes");
  leaves.push("authority=we", "authority=web:8", "route=shop/rout", "route=shop/routes/reads");
  takes.push("backend=shop/web", "split=shop/canary", "source=shop", "source=shop/cart");
  leaves.push("backend=shop/we", "split=shop/can", "source=sho", "source=shop/car", "source=cart");
  takes.push("source=127.0.0.1", "header=X-User", "header=x-user:%20bob", "header=X-User:bob");
  leaves.push("source=127.0.0.2", "header=x-other", "header=x-user:Bob", "header=__proto__");
  takes.push("header=x-user&header=x-empty:", "header=x-empty");
  leaves.push("header=x-user&header=x-empty:no");
  for (const query of leaves) assert.ok(!taken(query), query);
});

Deno.test("tap: a query that is none is refused", () => {
  for (
    const query of ["status=5x", "status=ok", "limit=0", "limit=-1", "limit=x", "pth=/a", "path="]
      .concat(
        ["method=GET&method=PUT", "header=", "header=a%20b:c", "toString=x"],
      )
  ) {
    assert.equal(typeof parseTapFilter(new URLSearchParams(query)), "string", query);
  }
});

Deno.test("tap: what no record can ever have is refused, and says what is wanted", () => {
  const never = {
    "method=G T": /^method is like GET$/,
    "path=api": /^path is the beginning of a path/,
    "path=http://web/": /^path is /,
    "authority=http://web.shop/": /^authority is a host/,
    "status=0xx": /^status is like/,
    "status=42": /^status is like/,
    "service=web": /^service is like NAMESPACE\/NAME/,
    "service=shop/web/80": /^service is /,
    "backend=web": /^backend is like/,
    "split=shop": /^split is like/,
    "route=routes": /^route is like/,
    "source=shop/cart/x": /^source is like/,
    "method=connect&path=/": /^CONNECT has no path$/,
    "method=TCP&status=200": /^A connection \(method TCP\) has no status$/,
    "header=x: a&header=X: b": /^header x cannot have two values$/,
  };
  for (const [query, pattern] of Object.entries(never)) {
    const said = parseTapFilter(new URLSearchParams(query));
    assert.ok(typeof said === "string" && pattern.test(said), `${query}: ${JSON.stringify(said)}`);
  }
  for (const query of ["header=x: a&header=X: a", "header=x&header=x: a", "status=0", "path=*"]) {
    assert.equal(typeof parseTapFilter(new URLSearchParams(query)), "object", query);
  }
});

Deno.test("tap: names that the plan does not have are told, and no others", () => {
  const plan = planForTest([serviceForTest({ rules: [ruleForTest({}, "b")] })]);
  const unknown = (query: string) => unknownIn(new URLSearchParams(query), plan);
  for (
    const query of [
      ...["", "method=GET&path=/a", "service=app/web", "service=app/web:80", "backend=app/a"],
      ...["backend=app/b", "backend=app/web", "split=app/fallback", "route=app/group/match"],
      ...["route=app/group", "source=shop/cart"],
    ]
  ) assert.equal(unknown(query), null, query);
  for (const query of ["service=app/wbe", "service=app/web:81", "backend=app/c", "split=app/x"]) {
    const [name, value] = query.split("=");
    assert.equal(unknown(query), `The plan in force has no ${name} ${value}`);
  }
  assert.equal(unknown("route=app/group/x"), "The plan in force has no route app/group/x");
});

Deno.test("tap: requests are reported while there is a tap, and no longer", async () => {
  const { taps, told } = recordingTaps();
  const first = await open(taps);
  const second = await open(taps);
  await first.cancel();
  assert.ok(!told.includes(null), "one is still reading");
  await second.cancel();
  assert.equal(told.at(-1), null);
  const third = await open(taps, "header=X-User:bob");
  assert.deepEqual(told.at(-1), ["x-user"]);
  await open(taps, "header=x-user&header=X-Other");
  assert.deepEqual(told.at(-1), ["x-user", "x-other"], "what any of them looks at, once");
  taps.close();
  assert.equal(told.at(-1), null);
  assert.equal(await readLine(third), undefined, "the stream has ended");
});

Deno.test("tap: a limit ends the stream", async () => {
  const { taps, told } = recordingTaps();
  const reader = await open(taps, "limit=2&status=5xx");
  for (const status of [503, 200, 504, 500]) taps.offer({ ...RECORD, status }, 0);
  assert.deepEqual(await readLine(reader), {
    time: "1970-01-01T00:00:00.000Z",
    ...RECORD,
  });
  assert.deepEqual((await readLine(reader) as RequestRecord).status, 504);
  assert.equal(await readLine(reader), undefined);
  assert.equal(told.at(-1), null);
});

Deno.test("tap: a slow reader loses what does not fit, and is told how much", async () => {
  const { taps } = recordingTaps();
  const reader = await open(taps);
  for (let i = 0; i < TAP_RECORDS_MAX + 7; i++) taps.offer({ ...RECORD, status: i }, 0);
  for (let i = 0; i < TAP_RECORDS_MAX; i++) {
    assert.equal((await readLine(reader) as RequestRecord).status, i);
  }
  assert.deepEqual(await readLine(reader), { dropped: 7 });
  assert.equal(taps.lost, 7);
  taps.offer({ ...RECORD, status: 1 }, 0);
  assert.equal((await readLine(reader) as RequestRecord).status, 1);
  await reader.cancel();
});

Deno.test("tap: there are only so many, and loops that have ended leave none behind", async () => {
  const { taps } = recordingTaps();
  for (let i = 0; i < TAPS_MAX; i++) await open(taps);
  assert.equal(await taps.open(filterOf("")), null);
  const broken = new Taps(() => Promise.reject(new Error("The proxy has stopped")));
  for (let i = 0; i <= TAPS_MAX; i++) {
    await assert.rejects(broken.open(filterOf("")), /has stopped/);
  }
});
