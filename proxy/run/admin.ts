/**
 * The admin port: health, metrics, the plan in force, why a request would go where it goes, and a stream of those that
 * went. Off the data path, so it is an ordinary Deno server.
 */
import type { MetricSample } from "../../base/metrics.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseExplainQuery } from "./explain_query.ts";
import type { Lane } from "./lane.ts";
import { ADMIN_STOP_MS } from "../limits.ts";
import { renderProxyMetrics } from "../observe/exposition.ts";
import type { PlanKeeping } from "./plan_keeper.ts";
import { parseTapFilter } from "../observe/tap_filter.ts";
import type { Taps } from "../observe/tap.ts";
import type { CertificateExpiry } from "../tls/config.ts";

export interface AdminSubject {
  /** In force; changes. */
  plan(): Plan;
  lanes(): readonly Lane[];
  readonly taps: Taps;
  /** Null: none are made. */
  /** Counts of spans; empty where none are made. */
  readonly spans: () => readonly MetricSample[];
  /** Lines of the access log that found no reader. */
  accessesLost(): number;
  /** Null: plans are not kept. */
  planKeeping(): PlanKeeping | null;
  /** Those that the proxy shows. */
  certificates(): readonly CertificateExpiry[];
  /** Every event loop answers; where one does not, only a restart helps. */
  isAlive(): Promise<boolean>;
  /** Accepting connections, with a plan in force, and not draining. */
  isReady(): boolean;
  /** The application is done (a Job): whoever runs the proxy is to end it. Null: nobody would. */
  readonly quit: (() => void) | null;
}

export interface AdminServer {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** @throws {Error} the address cannot be had. */
export function startAdmin(
  address: { readonly address: string; readonly port: number },
  subject: AdminSubject,
): AdminServer {
  const server = Deno.serve({
    hostname: address.address,
    port: address.port,
    onListen() {},
  }, (request) => answer(request, subject));
  return {
    address: server.addr.hostname,
    port: server.addr.port,
    async stop() {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, ADMIN_STOP_MS));
      // A reader that takes nothing any more is left to the end of the process.
      await Promise.race([server.shutdown(), late]);
      clearTimeout(timer);
    },
  };
}

async function answer(request: Request, subject: AdminSubject): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === "/quitquitquit") return quit(request, subject);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(405, "Only GET is allowed here\n");
  }
  switch (url.pathname) {
    case "/healthz":
      return await subject.isAlive()
        ? text(200, "ok\n")
        : text(500, "an event loop does not answer\n");
    case "/readyz":
      return subject.isReady() ? text(200, "ready\n") : text(503, "not ready\n");
    case "/metrics": {
      const snapshots = await Promise.all(subject.lanes().map((lane) => lane.snapshot()));
      return text(
        200,
        renderProxyMetrics(snapshots, {
          spans: subject.spans(),
          accessesLost: subject.accessesLost(),
          planKeeping: subject.planKeeping(),
          certificates: subject.certificates(),
          tapsLost: subject.taps.lost,
        }),
        "text/plain; version=0.0.4; charset=utf-8",
      );
    }
    case "/plan":
      return plan(subject);
    case "/explain":
      return await explain(url.searchParams, subject);
    case "/tap":
      return await tap(request, url.searchParams, subject);
    default:
      return text(
        404,
        "Try /healthz, /readyz, /metrics, /plan, /explain?url=URL, /tap or /quitquitquit\n",
      );
  }
}

/** The text is the plan's own, as a plan file has it; what there is to say about it stands in headers. */
function plan(subject: AdminSubject): Response {
  const response = text(200, encodePlan(subject.plan()), "application/json");
  const keeping = subject.planKeeping();
  if (keeping === null) return response;
  response.headers.set("x-weft-plan-source", keeping.isRestored ? "saved" : "current");
  if (keeping.savedAtMs !== null) {
    response.headers.set("x-weft-plan-saved-at", new Date(keeping.savedAtMs).toISOString());
  }
  return response;
}

/** As a signal to stop: by POST only, so that nothing that follows links ends a proxy; nor does a page in a browser. */
function quit(request: Request, subject: AdminSubject): Response {
  if (request.method !== "POST") return text(405, "Only POST is allowed here\n");
  if (request.headers.has("origin")) return text(403, "No web page may end this proxy\n");
  if (subject.quit === null) return text(404, "This proxy is ended by whoever started it\n");
  subject.quit();
  return text(200, "draining\n");
}

/**
 * `/explain?url=URL[&method=GET][&header=Name:%20value]…[&listener=0]`: the Explanation as JSON. With several
 * workers the sequence position is that of all of them. `&side=inbound&caller=NAMESPACE/SERVICEACCOUNT`: the CallExplanation of
 * a request to the application beside the proxy.
 */
async function explain(parameters: URLSearchParams, subject: AdminSubject): Promise<Response> {
  const query = parseExplainQuery(parameters);
  if (typeof query === "string") return text(400, `${query}\n`);
  const explanation = await subject.lanes()[0].explain(query);
  if (explanation === null) return text(404, `No such ${query.side} listener\n`);
  return text(200, `${JSON.stringify(explanation, null, 2)}\n`, "application/json");
}

/** `/tap?…` (`TAP_PARAMETERS`): requests as they end, one JSON object a line, until the client goes or `limit` is reached. */
async function tap(
  request: Request,
  parameters: URLSearchParams,
  { taps }: AdminSubject,
): Promise<Response> {
  const filter = parseTapFilter(parameters);
  if (typeof filter === "string") return text(400, `${filter}\n`);
  const headers = { "content-type": "application/x-ndjson", "cache-control": "no-store" };
  if (request.method === "HEAD") return new Response(null, { headers });
  const stream = await taps.open(filter);
  return stream === null
    ? text(503, "There are as many taps as may be; end one first\n")
    : new Response(stream, { headers });
}

function text(status: number, body: string, type = "text/plain; charset=utf-8"): Response {
  return new Response(body, { status, headers: { "content-type": type } });
}
