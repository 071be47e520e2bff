/**
 * The admission webhook: an HTTPS server that the API server asks before it makes a pod. An answer takes no call of the API, so
 * a thousand pods at once are a thousand short computations. It is started once all namespaces are known; before that, and wherever it
 * does not answer, failurePolicy decides.
 */
import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { pause } from "../base/backoff.ts";
import type { Log } from "../base/log.ts";
import { type AdmissionRequest, answerTo, isReview, type Verdict } from "./admission/review.ts";
import { validate, type WriteOutcome } from "./admission/validate.ts";
import { normaliseWeights } from "./admission/weights.ts";
import { injectionVerdict } from "./inject/review.ts";
import type { JsonFields } from "./kube/fields.ts";
import type { ControllerCounts, WebhookName } from "./metrics.ts";
import { SMI_METRICS_PATH, smiMetricsAnswer } from "./smi_metrics/answers.ts";
import type { SidecarHistory } from "./smi_metrics/sidecar_history.ts";
import type { ObjectMeta } from "./inject/pod.ts";
import type { InjectionSettings } from "./inject/settings.ts";
import {
  NAMESPACE_LOOK_MS,
  NAMESPACE_WAIT_MS,
  REVIEW_BYTES_MAX,
  REVIEW_CONNECTIONS_MAX,
  REVIEW_HEAD_MS,
  REVIEW_IDLE_MS,
  REVIEW_MS,
  WEBHOOK_END_MS,
} from "./inject/limits.ts";
import { withDeadline } from "../base/deadline.ts";

/** A certificate and its key, in PEM. */
interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

interface WebhookOptions {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly certificate: ServerCertificate;
  /** Those in force now. */
  readonly settings: () => InjectionSettings;
  /** Labels and annotations of a namespace; undefined: it is in no mesh, as far as is known. */
  readonly namespaceOf: (name: string) => ObjectMeta | undefined;
  /** Every kubelet of the cluster knows native sidecars. */
  readonly nativeIsKnown: () => boolean;
  /** What an object of the mesh would come to; null: it counts for nothing. */
  readonly outcomeOf: (object: JsonFields) => WriteOutcome | null;
  /** What sidecars have counted, for the SMI metrics API. */
  readonly history: Pick<SidecarHistory, "window">;
  readonly counts: ControllerCounts;
  readonly log: Log;
}

interface Webhook {
  readonly port: number;
  /** For connections that come from now on. */
  setCertificate(certificate: ServerCertificate): void;
  stop(): Promise<void>;
}

/** @throws {Error} the address cannot be had, or the certificate cannot be used */
export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const server = createServer(
    {
      ...options.certificate,
      headersTimeout: REVIEW_HEAD_MS,
      requestTimeout: REVIEW_MS,
    },
    (request: IncomingMessage, response: ServerResponse) => {
      answer(request, options).catch((error: Error) => {
        options.log.error("The webhook failed", { error: error.message });
        return { status: 500, body: "The webhook failed; its log says why\n" };
      }).then(({ status, body, isJson }: Answer) => {
        const type = status === 200 || isJson === true
          ? "application/json"
          : "text/plain; charset=utf-8";
        // Of a body that was not read to its end there is more to come.
        const ends = request.complete ? {} : { connection: "close" };
        response.writeHead(status, { "content-type": type, ...ends }).end(body);
      });
    },
  );
  server.keepAliveTimeout = REVIEW_IDLE_MS;
  server.maxConnections = REVIEW_CONNECTIONS_MAX;
  return { ...await listen(server, options), stop: () => stop(server) };
}

async function listen(
  server: Server,
  { address, port }: WebhookOptions,
): Promise<Omit<Webhook, "stop">> {
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(port, address, listening.resolve);
  await listening.promise;
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : port,
    setCertificate: (certificate) => server.setSecureContext(certificate),
  };
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await withDeadline(closed, WEBHOOK_END_MS, () => server.closeAllConnections());
}

interface Handler {
  readonly name: WebhookName;
  readonly decide: (
    request: AdmissionRequest,
    options: WebhookOptions,
  ) => Verdict | Promise<Verdict>;
}

const HANDLERS: Readonly<Record<string, Handler>> = {
  "/mutate": {
    name: "inject",
    decide: decideOfPod,
  },
  "/validate": {
    name: "validate",
    decide: (request, { outcomeOf }) => validate(request, outcomeOf),
  },
  "/weights": { name: "weights", decide: normaliseWeights },
};

/** What a namespace asks for is never guessed: its pods are made anew by who makes them, and a wrong one stays. */
async function decideOfPod(
  request: AdmissionRequest,
  { settings, namespaceOf, nativeIsKnown }: WebhookOptions,
): Promise<Verdict> {
  const name = request.namespace ?? "";
  const namespace = await joined(name, namespaceOf);
  if (namespace === undefined) {
    const message = `namespace ${name} is not known to the mesh yet: try again`;
    return { allowed: false, status: { code: 503, reason: "ServiceUnavailable", message } };
  }
  return injectionVerdict(request, {
    ...{ settings: settings(), nativeIsKnown: nativeIsKnown(), namespace },
  });
}

/** A namespace that has just joined: the API server asks by its label, and the watch tells of it soon. */
async function joined(
  name: string,
  namespaceOf: WebhookOptions["namespaceOf"],
): Promise<ObjectMeta | undefined> {
  const known = namespaceOf(name);
  if (known !== undefined) return known;
  const late = AbortSignal.timeout(NAMESPACE_WAIT_MS);
  while (!late.aborted && namespaceOf(name) === undefined) await pause(NAMESPACE_LOOK_MS, late);
  return namespaceOf(name);
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Also where it is a failure. */
  readonly isJson?: boolean;
}

async function answer(request: IncomingMessage, options: WebhookOptions): Promise<Answer> {
  const [path = ""] = (request.url ?? "").split("?");
  if (path.startsWith(SMI_METRICS_PATH)) return await metricsAnswer(request, options);
  if (!Object.hasOwn(HANDLERS, path)) {
    return { status: 404, body: `Try POST ${Object.keys(HANDLERS).join(", ")}\n` };
  }
  if (request.method !== "POST") return { status: 405, body: "Only POST is allowed here\n" };
  const text = await textOf(request);
  if (text === null) {
    return { status: 413, body: `A review has ${REVIEW_BYTES_MAX} bytes at most\n` };
  }
  const review = parse(text);
  if (!isReview(review)) return { status: 400, body: "This is no AdmissionReview of v1\n" };
  const startMs = performance.now();
  const { name, decide } = HANDLERS[path];
  const verdict = await decide(review.request, options);
  const counts = options.counts.admission[name];
  counts.answered.observe(performance.now() - startMs);
  if (!verdict.allowed) counts.refused++;
  return { status: 200, body: JSON.stringify(answerTo(review, verdict)) };
}

/** The API server hands on what it is asked of traffic. */
async function metricsAnswer(
  { method, url = "", headers }: IncomingMessage,
  { history }: WebhookOptions,
): Promise<Answer> {
  if (method !== "GET") return { status: 405, body: "Only GET is allowed here\n" };
  const asked = new URL(url, "https://controller");
  const { status, body } = await smiMetricsAnswer(asked, headers.accept ?? "", history);
  return { status, body: JSON.stringify(body), isJson: true };
}

/** Null: it is longer than any review. */
async function textOf(request: IncomingMessage): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > REVIEW_BYTES_MAX) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
