/**
 * The work of `weft demo`: walks the canary guide with the real mesh on free ports, checks every answer against the
 * guide, and shows what Weft adds to it. Shows and compares; the guide itself is in `guide.ts`.
 */
import { causeText } from "../base/text.ts";
import { parseAllDocuments } from "yaml";
import type { Finding } from "../base/finding.ts";
import type { HostPort } from "../console/values.ts";
import type { DriverChoice } from "../proxy/config.ts";
import { requestHeadOf } from "../routing/request.ts";
import { explain } from "../routing/table/explain.ts";
import { SplitState } from "../routing/table/split.ts";
import { buildTable } from "../routing/table/build.ts";
import type { Environment } from "../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../console/exit.ts";
import { renderFindings } from "../console/findings.ts";
import type { Output } from "../console/output.ts";
import { printable } from "../console/text.ts";
import { MeshClient } from "./client.ts";
import {
  filesAfter,
  GUIDE,
  guideDirectory,
  type GuideRequests,
  type GuideStep,
  ROOT_AUTHORITY,
  stepFiles,
} from "./guide.ts";
import { LocalMesh, ManifestError, type MeshEvent } from "./mesh.ts";
import type { StartProxy } from "./sidecars.ts";

/** Clients of the guide are in this namespace. */
const CLIENT_NAMESPACE = "curl";

interface Tally {
  right: number;
  wrong: number;
}

/** Walks the guide; `EXIT.failed` where an answer is not the guide's. */
export async function runDemo(
  options: { driver: DriverChoice },
  environment: Environment,
): Promise<ExitCode> {
  const { startProxy } = await import("../proxy/run/start_proxy.ts");
  const startedAt = performance.now();
  const output = environment.stdout;
  const problems: string[] = [];
  const mesh = newMesh(startProxy, options.driver, await filesAfter(0), (event) => {
    const problem = problemOf(event);
    if (problem !== undefined) problems.push(problem);
  });
  const stopListening = environment.onStopSignal(() => void mesh.stop());
  const tally: Tally = { right: 0, wrong: 0 };
  try {
    await mesh.start().catch((error) => {
      throw error instanceof ManifestError ? new CommandFailure(messagesOf(error.findings)) : error;
    });
    const sidecar = sidecarOf(mesh);
    introduce(output, mesh);
    for (const [index, step] of GUIDE.entries()) {
      if (mesh.isStopped) return EXIT.failed;
      if (index > 0) await mesh.switchTo(sourceOf(await filesAfter(index)));
      if (problems.length > 0) throw new CommandFailure(problems[0]);
      await showStep(output, index, step);
      for (const requests of step.requests) await ask(output, sidecar, requests, tally);
    }
    // The final state as its reader has it, so that what is shown next can be asked again.
    await mesh.switchTo(sourceOf([guideDirectory()]));
    if (problems.length > 0) throw new CommandFailure(problems[0]);
    const isHoleFound = await showHole(output, mesh, sidecar);
    const isRuleNamed = showWinner(output, mesh);
    const isRight = tally.wrong === 0 && isHoleFound && isRuleNamed;
    conclude(output, tally, isRight, performance.now() - startedAt);
    return isRight ? EXIT.ok : EXIT.failed;
  } finally {
    stopListening();
    await mesh.stop();
  }
}

function newMesh(
  startProxy: StartProxy,
  driver: DriverChoice,
  paths: readonly string[],
  onEvent: (event: MeshEvent) => void,
): LocalMesh {
  return new LocalMesh({
    source: sourceOf(paths),
    isEnforced: false,
    runs: new Map(),
    endpoints: new Map(),
    startProxy,
    driver,
    egress: false,
    port: 0,
    admin: null,
    reportRequests: false,
    tracing: {},
    onEvent,
  });
}

function sourceOf(paths: readonly string[]) {
  return { paths, recursive: false, namespace: "default", stdin: () => Promise.resolve("") };
}

function problemOf(event: MeshEvent): string | undefined {
  if (event.type === "refused") return messagesOf(event.findings);
  return event.type === "failed" || event.type === "proxy-failed" ? event.message : undefined;
}

function messagesOf(findings: readonly Finding[]): string {
  const errors = findings.filter(({ severity }) => severity === "error");
  return errors.map(({ message }) => message).join("; ");
}

function sidecarOf(mesh: LocalMesh): HostPort {
  const sidecar = mesh.sidecars.find(({ namespace }) => namespace === CLIENT_NAMESPACE);
  if (sidecar === undefined) throw new CommandFailure("The mesh has no listener for its clients");
  return sidecar;
}

function introduce(output: Output, mesh: LocalMesh): void {
  output.line(output.style("strong", "Canary rollout with TrafficSplit, step by step"));
  output.line(
    `On this machine: the guide's manifests, a sidecar proxy (${mesh.driver} driver) for the clients in namespace ` +
      `${CLIENT_NAMESPACE}, and a stand-in for each pod.`,
  );
}

async function showStep(output: Output, index: number, step: GuideStep): Promise<void> {
  output.line();
  output.line(output.style("strong", `${index + 1}. ${step.title}`));
  output.line(`   ${step.purpose}`);
  for (const path of await stepFiles(step)) {
    output.line(`   ${output.style("faint", `$ kubectl apply -f ${shownPath(path)}`)}`);
    for (const line of outline(await Deno.readTextFile(path))) output.line(`     ${line}`);
  }
}

/** A manifest in a few lines: what there is, and in full what a split or a route group says. */
function outline(text: string): string[] {
  return parseAllDocuments(text).flatMap((document) => {
    const { kind, metadata, spec } = document.toJS() as {
      kind: string;
      metadata: { name: string; namespace?: string };
      spec?: unknown;
    };
    const place = metadata.namespace === undefined ? "" : `${metadata.namespace}/`;
    const title = `${kind} ${place}${metadata.name}`;
    if (kind !== "TrafficSplit" && kind !== "HTTPRouteGroup") return [title];
    return [title, ...flowLines(spec).map((line) => `  ${line}`)];
  });
}

/** One line a field; items of a list one line each, in flow style. */
function flowLines(spec: unknown): string[] {
  return Object.entries(spec as Record<string, unknown>).flatMap(([field, value]) => {
    if (!Array.isArray(value)) return [`${field}: ${String(value)}`];
    return [`${field}:`, ...value.map((item) => `- ${flow(item)}`)];
  });
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const fields = Object.entries(value).map(([name, child]) => `${name}: ${flow(child)}`);
  return fields.join(", ");
}

/** Sends what the guide sends, as one curl with several URLs does: in order, over one connection. */
async function ask(
  output: Output,
  sidecar: HostPort,
  { url, answers }: GuideRequests,
  tally: Tally,
): Promise<void> {
  output.line(`   $ curl -s ${answers.map(() => url).join(" ")}`);
  const client = new MeshClient(sidecar);
  try {
    for (const expected of answers) {
      const answer = await answerTo(client, "GET", `http://${url}`);
      const isRight = answer === `${expected}\n`;
      tally[isRight ? "right" : "wrong"]++;
      const verdict = isRight
        ? output.style("good", "as in the guide")
        : output.style("error", `the guide says: ${expected}`);
      output.line(`   ${printable(answer.replace(/\n$/, "")).padEnd(16)} ${verdict}`);
    }
  } finally {
    client.close();
  }
}

async function answerTo(client: MeshClient, method: string, url: string): Promise<string> {
  try {
    const { status, body } = await client.send({ method, url });
    const text = new TextDecoder().decode(body);
    return status === 200 ? text : `${status} ${text}`;
  } catch (error) {
    return `no answer: ${causeText(error)}`;
  }
}

/** The guide's rules name only GET. What that leaves open is found without a request, and then seen with some. */
async function showHole(output: Output, mesh: LocalMesh, sidecar: HostPort): Promise<boolean> {
  output.line();
  output.line(output.style("strong", "What the guide does not say"));
  output.line("   $ weft dry-run -f examples/canary/");
  const holes = mesh.findings.filter(({ code }) => code === "unmatched-reaches-backends")
    .map((finding) =>
      finding.position === undefined ? finding : {
        ...finding,
        position: { ...finding.position, file: shownPath(finding.position.file) },
      }
    );
  for (const line of renderFindings(output, holes).trimEnd().split("\n")) output.line(`   ${line}`);
  const url = `${ROOT_AUTHORITY}/demo`;
  output.line(`   $ curl -s -X POST ${url} ${url}`);
  const client = new MeshClient(sidecar);
  const answers = [];
  for (let i = 0; i < 2; i++) answers.push(await answerTo(client, "POST", `http://${url}`));
  client.close();
  for (const answer of answers) output.line(`   ${printable(answer.replace(/\n$/, ""))}`);
  const isSeen = answers.some((answer) => answer.includes("v2"));
  if (holes.length > 0 && isSeen) return true;
  output.line(`   ${output.style("error", "Expected")}: the Finding, and an answer of v2`);
  return false;
}

/** Why a request goes where it goes: the same decision, with its reasons. */
function showWinner(output: Output, mesh: LocalMesh): boolean {
  const url = `http://${ROOT_AUTHORITY}/test`;
  const table = buildTable(mesh.plan, { namespace: CLIENT_NAMESPACE, identity: "", seed: null });
  const explained = explain(
    table,
    requestHeadOf({ method: "GET", url }),
    80,
    new SplitState(table),
  );
  const winner = explained.rules.find(({ outcome }) => outcome === "matched");
  output.line();
  output.line(output.style("strong", "Why a request goes where it goes"));
  output.line(`   $ weft explain GET ${url} -f examples/canary/`);
  if (winner === undefined) {
    output.line(`   ${output.style("error", "No rule takes it")}`);
    return false;
  }
  const shares = explained.route?.backends
    .map(({ service, share }) => `${service} ${Math.round(100 * share)}%`).join(", ");
  output.line(
    `   Rule ${winner.group} "${winner.match}" at ${shownPath(winner.position ?? "-")} takes it`,
  );
  output.line(`   Split ${winner.split}: ${shares}`);
  return winner.group === "httpbin/httpbin-test" && winner.split === "httpbin/httpbin-split";
}

function conclude(output: Output, tally: Tally, isRight: boolean, durationMs: number): void {
  const seconds = (durationMs / 1_000).toFixed(1);
  const total = tally.right + tally.wrong;
  output.line();
  output.line(
    isRight
      ? `${
        output.style("good", "Done")
      }: ${total} of ${total} answers as in the guide, in ${seconds} s. ` +
        "Next: weft up -f examples/canary/"
      : `${
        output.style("error", "Not as in the guide")
      }: ${tally.wrong} of ${total} answers differ`,
  );
}

/** Inside a compiled executable the examples are at a made-up place; a reader has them in the repository. */
function shownPath(path: string): string {
  return path.replace(guideDirectory(), "examples/canary").replaceAll("\\", "/");
}
