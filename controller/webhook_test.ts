// Tests of the webhook over real HTTPS: answers, refusals, limits, another certificate, and a thousand pods at once.
import assert from "node:assert/strict";
import { createLog } from "../base/log.ts";
import type { ObjectMeta } from "./inject/pod.ts";
import { REVIEW_BYTES_MAX } from "./inject/limits.ts";
import { DEFAULT_INJECTION } from "./inject/settings.ts";
import { controllerCounts } from "./metrics.ts";
import { makeAuthority, makeCertificate } from "./certificates.ts";
import { startWebhook } from "./webhook.ts";

const POD = { spec: { containers: [{ name: "app" }] } };
const REVIEW = {
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "u",
    kind: { group: "", kind: "Pod" },
    operation: "CREATE",
    namespace: "n",
    object: POD,
  },
};

const DISABLED = { annotations: { "weft.dev/sidecar-injection": "disabled" } };

interface Scenario {
  /** As it is known at each look. */
  readonly namespaceOf?: () => ObjectMeta | undefined;
}

interface Answered {
  readonly status: number;
  readonly text: string;
  /** For how long the connection is kept, as it says itself. */
  readonly idleSeconds: string | undefined;
}

async function withWebhook(
  { namespaceOf = () => ({}) }: Scenario,
  use: (
    ask: (body: string | null, path?: string) => Promise<Answered>,
    renew: () => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const authority = await makeAuthority();
  const issue = () => makeCertificate(authority, ["localhost"]);
  const webhook = await startWebhook({
    address: "127.0.0.1",
    port: 0,
    certificate: await issue(),
    settings: () => DEFAULT_INJECTION,
    namespaceOf,
    nativeIsKnown: () => true,
    outcomeOf: () => null,
    history: { window: () => Promise.resolve({ seconds: 30, traffic: [] }) },
    counts: controllerCounts(),
    log: createLog({ level: "error", format: "json", sink: () => {}, now: Date.now }),
  });
  using client = Deno.createHttpClient({ caCerts: [authority.cert] });
  try {
    await use(
      async (body, path = "/mutate") => {
        const init = body === null ? {} : { method: "POST", body };
        const url = `https://localhost:${webhook.port}${path}`;
        const response = await fetch(url, { ...init, client });
        const idleSeconds = /timeout=(\d+)/.exec(response.headers.get("keep-alive") ?? "")?.[1];
        return { status: response.status, text: await response.text(), idleSeconds };
      },
      async () => webhook.setCertificate(await issue()),
    );
  } finally {
    await webhook.stop();
  }
}

Deno.test("webhook: a pod gets its patch, with another certificate too", () =>
  withWebhook({}, async (ask, renew) => {
    for (let i = 0; i < 2; i++) {
      const { status, text } = await ask(JSON.stringify(REVIEW));
      assert.equal(status, 200);
      const { response } = JSON.parse(text);
      assert.deepEqual([response.allowed, response.patchType], [true, "JSONPatch"]);
      await renew();
    }
  }));

Deno.test("webhook: a namespace that is asked for no sidecars gets none", () =>
  withWebhook(
    { namespaceOf: () => DISABLED },
    async (ask) => {
      const { text } = await ask(JSON.stringify(REVIEW));
      assert.deepEqual(JSON.parse(text).response, { uid: "u", allowed: true });
    },
  ));

Deno.test("webhook: an API server ends a connection that is idle before the webhook does", () =>
  withWebhook({}, async (ask) => {
    const { idleSeconds } = await ask(JSON.stringify(REVIEW));
    // IdleConnTimeout of its transport.
    assert.ok(Number(idleSeconds) > 90, idleSeconds);
  }));

Deno.test("webhook: a pod waits for a namespace that has just joined, and gets what that says", () => {
  let looks = 0;
  const namespaceOf = () => ++looks > 4 ? DISABLED : undefined;
  return withWebhook({ namespaceOf }, async (ask) => {
    const { text } = await ask(JSON.stringify(REVIEW));
    assert.deepEqual(JSON.parse(text).response, { uid: "u", allowed: true });
  });
});

Deno.test("webhook: what a namespace says is not guessed where it does not become known", () =>
  withWebhook({ namespaceOf: () => undefined }, async (ask) => {
    const { response } = JSON.parse((await ask(JSON.stringify(REVIEW))).text);
    assert.deepEqual([response.allowed, response.status.code, response.patch], [
      ...[false, 503, undefined],
    ]);
    assert.match(response.status.message, /^namespace n is not known to the mesh yet: try again$/);
  }));

Deno.test("webhook: what is no review is one line and a status", () =>
  withWebhook({}, async (ask) => {
    assert.equal((await ask("{}", "/other")).status, 404);
    assert.equal((await ask(null)).status, 405);
    for (const body of ["", "{", "[]", JSON.stringify({ ...REVIEW, apiVersion: "v1beta1" })]) {
      const { status, text } = await ask(body);
      assert.equal(status, 400);
      assert.match(text, /^[^\n]+\n$/);
    }
    assert.equal((await ask(" ".repeat(REVIEW_BYTES_MAX + 1))).status, 413);
    assert.equal((await ask(JSON.stringify(REVIEW))).status, 200);
  }));

Deno.test("webhook: a thousand pods at once are all answered", () =>
  withWebhook({}, async (ask) => {
    const body = JSON.stringify(REVIEW);
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(body)));
    assert.ok(answers.every(({ status }) => status === 200));
  }));
