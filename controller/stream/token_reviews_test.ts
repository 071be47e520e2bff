/** Who is asked about, and how often. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { REVIEWS_AT_ONCE_MAX } from "../limits.ts";
import { controllerCounts } from "../metrics.ts";
import { TokenReviews } from "./token_reviews.ts";

const GOOD = {
  authenticated: true,
  audiences: ["weft"],
  user: {
    username: "system:serviceaccount:app:robot",
    extra: {
      "authentication.kubernetes.io/pod-name": ["web-1"],
      "authentication.kubernetes.io/pod-uid": ["u"],
    },
  },
};

function tokenUntil(seconds: number, id = ""): string {
  const payload = new TextEncoder().encode(JSON.stringify({ exp: seconds, id }));
  return `head.${payload.toBase64({ alphabet: "base64url" })}.signature`;
}

const LATER = Date.now() / 1_000 + 3_600;

function reviewsWith(answer: () => unknown, isThere = () => true) {
  let calls = 0;
  const call = () => {
    calls++;
    return Promise.try(answer).then((status) => ({ status }));
  };
  return { reviews: new TokenReviews({ call }, controllerCounts(), isThere), calls: () => calls };
}

Deno.test("token reviews: a good token is asked about once, and says whose it is", async () => {
  const { reviews, calls } = reviewsWith(() => GOOD);
  const token = tokenUntil(LATER);
  const subject = { namespace: "app", serviceAccount: "robot", pod: "web-1", podUid: "u" };
  deepEqual(await reviews.subjectOf(token), subject);
  deepEqual(await reviews.subjectOf(token), subject);
  equal(calls(), 1);
});

Deno.test("token reviews: a token is known as long as its pod is, and asked about again where that is not known", async () => {
  const now = Date.now;
  let [isThere, aheadMs] = [true, 0];
  Date.now = () => now() + aheadMs;
  try {
    const { reviews, calls } = reviewsWith(() => GOOD, () => isThere);
    const token = tokenUntil(LATER);
    const callsAfter = async (ms: number) => {
      aheadMs += ms;
      await reviews.subjectOf(token);
      return calls();
    };
    equal(await callsAfter(0), 1);
    equal(await callsAfter(50 * 60_000), 1);
    isThere = false;
    equal(await callsAfter(0), 2);
    isThere = true;
    equal(await callsAfter(0), 2);
    equal(await callsAfter(2 * 3_600_000), 3, "it has expired");
  } finally {
    Date.now = now;
  }
});

Deno.test("token reviews: one that has expired, or does not say when, is asked about each time", async () => {
  const { reviews, calls } = reviewsWith(() => GOOD);
  for (const token of [tokenUntil(1), "opaque"]) {
    await reviews.subjectOf(token);
    await reviews.subjectOf(token);
  }
  equal(calls(), 4);
});

Deno.test("token reviews: refused, of another audience, or of no ServiceAccount", async () => {
  const others = [
    { authenticated: false, error: "token has expired" },
    { ...GOOD, audiences: ["https://kubernetes.default.svc"] },
    { ...GOOD, audiences: undefined },
    { ...GOOD, user: { username: "admin" } },
    {},
  ];
  for (const status of others) {
    const { reviews, calls } = reviewsWith(() => status);
    const reason = "error" in status ? `: ${status.error}` : "";
    const refusal = `the API server does not accept its token${reason}`;
    equal(await reviews.subjectOf("t"), refusal);
    equal(await reviews.subjectOf("t"), refusal);
    equal(calls(), 1, "a refusal is known for a while");
  }
});

Deno.test("token reviews: an API server that is away lets no new caller in", async () => {
  const { reviews } = reviewsWith(() => {
    throw new Error("away");
  });
  await rejects(reviews.subjectOf(tokenUntil(LATER)), /away/);
});

Deno.test("token reviews: only so many are under way at once", async () => {
  let running = 0;
  let most = 0;
  const { reviews, calls } = reviewsWith(async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    return GOOD;
  });
  const count = 3 * REVIEWS_AT_ONCE_MAX;
  const tokens = Array.from({ length: count }, (_, i) => tokenUntil(LATER, String(i)));
  await Promise.all(tokens.map((token) => reviews.subjectOf(token)));
  equal(calls(), count);
  equal(most <= REVIEWS_AT_ONCE_MAX, true, String(most));
});
