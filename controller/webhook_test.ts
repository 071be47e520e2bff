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

interface Scenario {
  readonly namespace?: ObjectMeta;
}

async function withWebhook(
  { namespace }: Scenario,
  use: (
    ask: (body: string | null, path?: string) => Promise<{ status: number; text: string }>,
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
    namespaceOf: () => namespace,
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
        return { status: response.status, text: await response.text() };
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
    { namespace: { annotations: { "weft.dev/sidecar-injection": "disabled" } } },
    async (ask) => {
      const { text } = await ask(JSON.stringify(REVIEW));
      assert.deepEqual(JSON.parse(text).response, { uid: "u", allowed: true });
    },
  ));

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
