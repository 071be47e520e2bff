/** What `weft up` shows: the banner, a line an event, and on a terminal a status line below them. Decides nothing. */
import { formatHostPort } from "../console/values.ts";
import { type Plan, type PlanService, routingsOf } from "../routing/plan.ts";
import { renderFindings, summarizeFindings } from "../console/findings.ts";
import type { Output } from "../console/output.ts";
import { renderTable } from "../console/table.ts";
import { counted } from "../base/text.ts";
import { printable } from "../console/text.ts";
import { MESH_PATHS } from "../page/page_data.ts";
import type { LocalMesh, MeshEvent } from "./mesh.ts";
import type { LocalPod, PodRunner } from "./pod_runner.ts";
import { RequestLog } from "./request_log.ts";
import { clientsName } from "./sidecars.ts";
import { REPORT_TICK_MS } from "./limits.ts";

const CLEAR_LINE = "\r\x1b[2K";

export class UpReport {
  readonly #output: Output;
  readonly #requests: RequestLog;
  readonly #now: () => number;
  readonly #timer: ReturnType<typeof setInterval>;
  #status = "";
  #planHash = "";

  /** `now`: milliseconds since the epoch. `stop` is to be called at the end. */
  constructor(output: Output, now: () => number) {
    this.#output = output;
    this.#requests = new RequestLog(output);
    this.#now = now;
    this.#timer = setInterval(() => this.#tick(), REPORT_TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#showStatus("");
  }

  onEvent(event: MeshEvent): void {
    switch (event.type) {
      case "served":
        this.#planHash = event.plan.hash.slice(0, 12);
        this.#print(servedLine(event));
        return this.#block(renderFindings(this.#output, event.findings));
      case "refused":
        this.#print(
          this.#output.style("error", "not applied") +
            ": the manifests have errors; the mesh goes on as before",
        );
        return this.#block(renderFindings(this.#output, event.findings));
      case "failed":
      case "proxy-failed":
        return this.#print(`${this.#output.style("error", "failed")}: ${printable(event.message)}`);
      case "clients-added":
        return event.sidecars.forEach((sidecar) =>
          this.#print(
            `clients in ${printable(clientsName(sidecar))}: http_proxy=http://${
              formatHostPort(sidecar)
            }`,
          )
        );
      case "pod-started":
        return this.#print(`${podName(event.pod)} started: ${playedBy(event)}`);
      case "pod-stopped":
        return this.#print(`${podName(event.pod)} stopped`);
      case "pod-ready":
        return this.#print(
          `${podName(event.pod)} ${event.isReady ? "accepts connections" : "is gone"}`,
        );
      case "pod-exited":
        return this.#print(
          `${podName(event.pod)} ${this.#output.style("warning", "ended")} (${event.reason}), ` +
            `starts again in ${event.delayMs / 1_000} s`,
        );
      case "pod-output":
        return this.#print(
          `${this.#output.style("faint", `${podName(event.pod)} |`)} ${printable(event.line)}`,
        );
      case "request": {
        const { record, clients, whyDenied } = event;
        const lines = this.#requests.add(record, clients, this.#now(), whyDenied);
        return lines.forEach((line) => this.#print(line));
      }
      case "log":
        if (event.level === "debug" || event.level === "info") return;
        return this.#print(`proxy: ${event.level}: ${printable(event.message)}`);
    }
  }

  /** How to reach the mesh that has just started. */
  banner(mesh: LocalMesh): void {
    const { sidecars, pods, plan, admin } = mesh;
    const output = this.#output;
    const splits = new Set(
      plan.services.flatMap(({ ports }) => ports)
        .flatMap(routingsOf)
        .flatMap(({ rules, fallback }) => [...rules.map(({ route }) => route), fallback])
        .flatMap(({ split }) => split === null ? [] : [`${split.namespace}/${split.name}`]),
    );
    const lines = [
      "",
      output.style("strong", "The mesh is up") +
      `: ${counted(pods.length, "pod")}, ${counted(plan.services.length, "service")}, ` +
      `${counted(splits.size, "split")}, ${mesh.driver} driver`,
      "",
      renderTable(
        output,
        ["CLIENTS IN", "HTTP_PROXY"],
        sidecars.map((sidecar) => [clientsName(sidecar), `http://${formatHostPort(sidecar)}`]),
        2,
      ),
      renderTable(
        output,
        ["POD", "PORTS", "PLAYED BY"],
        byName(pods).map(({ pod, runner }) => [
          podName(pod),
          pod.ports.map((port) => formatHostPort(runner.placeOf(port))).join(" "),
          playedBy({ runner }),
        ]),
        2,
      ),
      ...howToReach(mesh).map((line) => `  ${line}`),
      "",
      ...(admin === null ? [] : [
        `  Page:  http://${formatHostPort(admin)}${MESH_PATHS.page}`,
        `  Admin: http://${formatHostPort(admin)}/metrics, /plan, /explain`,
      ]),
      "  Edited manifests take effect at once. Ctrl-C ends the mesh and everything it started.",
      "",
    ];
    this.#block(`${lines.join("\n")}\n`);
  }

  /** A line about the command itself. */
  note(text: string): void {
    this.#print(text);
  }

  #print(line: string): void {
    const time = new Date(this.#now()).toTimeString().slice(0, 8);
    this.#block(`${this.#output.style("faint", time)} ${line}\n`);
  }

  /** Everything goes above the status line. */
  #block(text: string): void {
    if (this.#status === "") return this.#output.write(text);
    this.#output.write(`${CLEAR_LINE}${text}${this.#status}`);
  }

  #tick(): void {
    for (const line of this.#requests.tick(this.#now())) this.#print(line);
    if (!this.#output.isTerminal || this.#planHash === "") return;
    const text = `plan ${this.#planHash} | ${this.#requests.summary()}`;
    this.#showStatus(text.slice(0, (this.#output.columns ?? 80) - 1));
  }

  #showStatus(text: string): void {
    const styled = text === "" ? "" : this.#output.style("info", text);
    if (styled === this.#status) return;
    this.#output.write(CLEAR_LINE + styled);
    this.#status = styled;
  }
}

function servedLine(
  { plan, findings, changed }: Extract<MeshEvent, { type: "served" }>,
): string {
  const names = [...new Set(changed.map((path) => path.replace(/^.*[/\\]/, "")))].sort();
  const because = names.length === 0 ? "" : `: ${printable(names.slice(0, 5).join(", "))} changed`;
  return `plan ${plan.hash.slice(0, 12)} is served${because} (${summarizeFindings(findings)})`;
}

function podName({ namespace, name }: LocalPod): string {
  return printable(`${namespace}/${name}`);
}

function playedBy({ runner }: { readonly runner: PodRunner }): string {
  if (runner.kind === "stand-in") return "stand-in";
  const state = runner.isReady ? "" : " (does not accept connections yet)";
  return `${runner.kind} ${printable(runner.description)}${state}`;
}

function byName<T extends { readonly pod: LocalPod }>(pods: readonly T[]): T[] {
  return [...pods].sort((a, b) => podName(a.pod) < podName(b.pod) ? -1 : 1);
}

/** Three ways to send the same request. */
function howToReach({ sidecars, plan }: LocalMesh): string[] {
  const [sidecar] = sidecars;
  const example = sidecar === undefined ? undefined : exampleService(plan, sidecar.namespace);
  if (sidecar === undefined || example === undefined) return ["No service to call yet"];
  const { service, port } = example;
  const name = service.namespace === sidecar.namespace
    ? service.name
    : `${service.name}.${service.namespace}`;
  const authority = port === 80 ? name : `${name}:${port}`;
  const place = formatHostPort(sidecar);
  return [
    sidecar.identity === ""
      ? `As a client in namespace ${sidecar.namespace}, each of:`
      : `As service account ${sidecar.identity}, each of:`,
    `  export http_proxy=http://${place}; curl http://${authority}/`,
    `  curl -H 'Host: ${authority}' http://${place}/`,
    `  weft request ${sidecar.port === 15_001 ? "" : `--mesh ${place} `}http://${authority}/`,
  ];
}

/** A service that a split is for and that clients of another namespace call, or the next best. */
function exampleService(
  plan: Plan,
  clientNamespace: string,
): { service: PlanService; port: number } | undefined {
  const rank = (service: PlanService): number => {
    const isSplit = service.ports.some(({ rules, fallback }) =>
      rules.length > 0 || fallback.split !== null
    );
    return (isSplit ? 0 : 2) + (service.namespace === clientNamespace ? 1 : 0);
  };
  const [service] = plan.services
    .filter(({ ports }) => ports.some(({ protocol }) => protocol === "http"))
    .sort((a, b) => rank(a) - rank(b));
  const port = service?.ports.find(({ protocol }) => protocol === "http");
  return service === undefined || port === undefined ? undefined : { service, port: port.port };
}
