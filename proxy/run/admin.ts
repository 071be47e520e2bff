/**
 * The admin port: health, metrics, the plan in force, why a request would go where it goes, and a stream of those that
 * went. Off the data path, so it is an ordinary Deno server.
 */
import {
  METRICS_TYPES,
  type MetricSample,
  type MetricsFormat,
  metricsFormat,
} from "../../base/metrics.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import type { Plan } from "../../routing/plan.ts";
import { withDeadline } from "../../base/deadline.ts";
import type { ProbeRequest } from "../config.ts";
import { ADMIN_STOP_MS, PORT_PROBE_MS } from "../limits.ts";
import type { LoopSnapshot, PlanKeeping } from "../observe/exposition.ts";
import { renderProxyMetrics } from "../observe/exposition.ts";
import type { Taps } from "../observe/tap.ts";
import { parseTapFilter, unknownIn } from "../observe/tap_filter.ts";
import type { CertificateExpiry } from "../tls/config.ts";
import type { CommandReply } from "./commands.ts";
import type { ExplainQuery } from "./explain_query.ts";
import { HttpsProbes } from "./https_probe.ts";
import { parseExplainQuery } from "./explain_query.ts";

export interface AdminSubject {
  /** In force; changes. Null: none has come yet. */
  plan(): Plan | null;
  /** What there is to say where there is no plan. */
  whyNoPlan(): string;
  /** One of each event loop. */
  snapshots(): Promise<readonly LoopSnapshot[]>;
  explain(query: ExplainQuery): Promise<CommandReply<"explain">>;
  readonly taps: Taps;
  /** Counts of spans; empty if none are made. */
  readonly spans: () => readonly MetricSample[];
  /** Lines of the access log that found no reader. */
  accessesLost(): number;
  /** Null: plans are not kept. */
  planKeeping(): PlanKeeping | null;
  /** Those that the proxy shows. */
  certificates(): readonly CertificateExpiry[];
  /** An event loop that does not answer, which only a restart helps. Null: all do. */
  whyNotAlive(): Promise<string | null>;
  /** What keeps clients away. Null: it is ready for them. */
  whyNotReady(): Promise<string | null>;
  /** The application is done (a Job): ends the proxy. Null: what runs it does not listen. */
  readonly quit: (() => void) | null;
  /** Answers paths that the proxy has no answer for; null: it has none either. */
  others(request: Request): Promise<Response | null>;
}

export interface AdminServer {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** @throws {Error} the address cannot be had. */
export function startAdmin(place: Place, subject: AdminSubject): AdminServer {
  return serve(place, (request) => answer(request, subject));
}

/**
 * The paths that others than the pod itself may ask: health, metrics, and `/tcp/PORT`, which stands in for a tcpSocket probe. Capture would
 * take every connection, also to a port on which the application does not listen. `/https/PORT/PATH` stands in for an HTTPS probe.
 *
 * @param application where the application is, and its probes; undefined: there is none
 * @throws {Error} the address cannot be had.
 */
export function startHealth(
  place: Place,
  subject: AdminSubject,
  application: { readonly address: string; readonly probes: readonly ProbeRequest[] } | undefined,
): AdminServer {
  const { address, probes } = application ?? {};
  const secured = address === undefined ? null : new HttpsProbes(address, probes ?? []);
  return serve(
    place,
    async (request) =>
      await secured?.answer(request) ?? await answerHealth(request, subject, address),
  );
}

interface Place {
  readonly address: string;
  readonly port: number;
}

function serve(place: Place, handle: (request: Request) => Promise<Response>): AdminServer {
  const server = open(
    place,
    // A loop that is stuck answers nothing.
    (request) => handle(request).catch(({ message }) => text(503, `${message}\n`)),
  );
  return {
    address: server.addr.hostname,
    port: server.addr.port,
    async stop() {
      // A reader that takes nothing any more is left to the end of the process.
      await withDeadline(server.shutdown(), ADMIN_STOP_MS, () => {});
    },
  };
}

/** Every address is those of IPv6 too, where this system has it: a pod may have no other. */
function open(
  { address, port }: Place,
  handle: (request: Request) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  const openAt = (hostname: string) => Deno.serve({ hostname, port, onListen() {} }, handle);
  if (address !== "0.0.0.0") return openAt(address);
  try {
    return openAt("::");
  } catch {
    return openAt(address);
  }
}

async function answerHealth(
  request: Request,
  subject: AdminSubject,
  application: string | undefined,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  const port = Number(/^\/tcp\/(\d{1,5})$/.exec(pathname)?.[1]);
  if (application !== undefined && port >= 1 && port <= 65_535) {
    return probe("open", 503, await whyNotOpen(application, port));
  }
  const isKnown = ["/healthz", "/readyz", "/metrics"].includes(pathname);
  return isKnown
    ? await answer(request, subject)
    : text(404, "Try /healthz, /readyz, /metrics, /tcp/PORT or an HTTPS probe of this pod\n");
}

/** At the pod's own address: what is not reached there is not reached by others either. */
async function whyNotOpen(hostname: string, port: number): Promise<string | null> {
  const connecting = Deno.connect({ hostname, port }).then((connection) => {
    connection.close();
    return null;
  }, (error: Error) => error.message);
  return await withDeadline(connecting, PORT_PROBE_MS, () => "no answer");
}

async function answer(request: Request, subject: AdminSubject): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === "/quitquitquit") return quit(request, subject);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(405, "Only GET is allowed here\n");
  }
  switch (url.pathname) {
    case "/healthz":
      return probe("ok", 500, await subject.whyNotAlive());
    case "/readyz":
      return probe("ready", 503, await subject.whyNotReady());
    case "/metrics":
      return await metrics(request, subject);
    case "/plan":
      return plan(subject);
    case "/explain":
      return await explain(url.searchParams, subject);
    case "/tap":
      return await tap(request, url.searchParams, subject);
    default:
      return await subject.others(request) ?? text(
        404,
        "Try /healthz, /readyz, /metrics, /plan, /explain?url=URL, /tap or /quitquitquit\n",
      );
  }
}

function probe(well: string, status: number, fault: string | null): Response {
  return fault === null ? text(200, `${well}\n`) : text(status, `not ${well}: ${fault}\n`);
}

async function metrics({ headers }: Request, subject: AdminSubject): Promise<Response> {
  const format = metricsFormat(headers.get("accept") ?? "");
  return text(200, await metricsText(subject, format), METRICS_TYPES[format]);
}

/** As Prometheus reads them. */
export async function metricsText(
  subject: AdminSubject,
  format: MetricsFormat = "prometheus",
): Promise<string> {
  return renderProxyMetrics(await subject.snapshots(), {
    spans: subject.spans(),
    accessesLost: subject.accessesLost(),
    planKeeping: subject.planKeeping(),
    certificates: subject.certificates(),
    tapsLost: subject.taps.lost,
  }, format);
}

/** The text is the plan's own, as a plan file has it; what there is to say about it stands in headers. */
function plan(subject: AdminSubject): Response {
  const inForce = subject.plan();
  if (inForce === null) return noPlan(subject);
  const response = text(200, encodePlan(inForce), "application/json");
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
  if (subject.quit === null) return text(404, "This proxy is ended by what started it\n");
  subject.quit();
  return text(200, "draining\n");
}

/**
 * `/explain?url=URL[&method=GET][&header=Name:%20value]…[&listener=0]`: the Explanation as JSON. With several
 * workers the sequence position is that of all of them. `&side=inbound&caller=NAMESPACE/SERVICEACCOUNT`: the CallExplanation of
 * a request to the application beside the proxy; with `&peer=ADDRESS[&serverName=NAME]` from outside the mesh, in plain or by TLS.
 */
async function explain(parameters: URLSearchParams, subject: AdminSubject): Promise<Response> {
  const query = parseExplainQuery(parameters);
  if (typeof query === "string") return text(400, `${query}\n`);
  if (subject.plan() === null) return noPlan(subject);
  const explanation = await subject.explain(query);
  if (explanation === null) return text(404, `No such ${query.side} listener\n`);
  return text(200, `${JSON.stringify(explanation, null, 2)}\n`, "application/json");
}

/** `/tap?…` (`TAP_PARAMETERS`): requests as they end, one JSON object a line, until the client goes or `limit` is reached. */
async function tap(
  request: Request,
  parameters: URLSearchParams,
  subject: AdminSubject,
): Promise<Response> {
  const filter = parseTapFilter(parameters);
  if (typeof filter === "string") return text(400, `${filter}\n`);
  const headers = { "content-type": "application/x-ndjson", "cache-control": "no-store" };
  if (request.method === "HEAD") return new Response(null, { headers });
  const inForce = subject.plan();
  if (inForce === null) return noPlan(subject);
  const unknown = unknownIn(parameters, inForce);
  if (unknown !== null) return text(404, `${unknown}\n`);
  const stream = await subject.taps.open(filter);
  return stream === null
    ? text(503, "There are as many taps as may be; end one first\n")
    : new Response(stream, { headers });
}

function noPlan(subject: AdminSubject): Response {
  return text(503, `${subject.whyNoPlan()}\n`);
}

function text(status: number, body: string, type = "text/plain; charset=utf-8"): Response {
  return new Response(body, { status, headers: { "content-type": type } });
}
