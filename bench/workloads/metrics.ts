/** What it costs to say and to read the numbers that releases are judged by, and a release that is judged by them. Weft alone. */
import { dirname } from "node:path";
import { HISTORY_STEP_MS } from "../../controller/limits.ts";
import { HEALTH_PORT } from "../../controller/inject/containers.ts";
import type { TenSteps } from "../../tests/cluster/canary/ten_steps.ts";
import { readLines } from "../../base/lines.ts";
import { LineProcess } from "../../tests/support/line_process.ts";
import { beside } from "../contenders/files.ts";
import { sidecarAddress } from "../metrics/sidecar_address.ts";
import type { SidecarReading } from "../metrics/reader_main.ts";
import { isForResults } from "../options.ts";
import { LargeMesh, type SidecarProcess } from "../plans/large_mesh.ts";
import { isInstalled, Unavailable } from "../process.ts";
import { median, type Row } from "../report.ts";
import { LOAD_CORES, pinThisProcess, proxyCores, type Session } from "../session.ts";
import { askFirst, withSidecar } from "./plans.ts";
import type { BenchWorkload } from "./workload.ts";

/** Services that an application has asked: they come to some 50 and 500 series more than an idle sidecar has. */
const IN_USE = [1, 12] as const;
const SERVICES = 100;
/** In each round. */
const SCRAPES = 50;
const SIDECARS = 1_000;
/** On a busy machine some take longer than a controller waits for them. */
const READ_MIN = 0.95;
/** Of what a test prints. */
const LINE_BYTES_MAX = 1024 * 1024;
/** How lines begin by which a promotion says how far it is. */
const STEP = "ten steps: ";

export const METRICS_MEASURES = {
  scrape: (inUse: number) =>
    `\`/metrics\` of a sidecar, ${inUse} Service${inUse === 1 ? "" : "s"} in use`,
  reading: `${SIDECARS} of the last read every ${HISTORY_STEP_MS / 1_000} s`,
  promotion: "promotion by Flagger in ten steps",
} as const;

export const METRICS_COSTS: BenchWorkload = {
  name: "metrics",
  title: "Metrics, and a release that is judged by them",
  about:
    "A sidecar on a core of its own is asked for its metrics, again and again. The last text is what as many servers say, each at an address of its own, to what a " +
    "controller reads sidecars with for the SMI metrics API, on that core too. A promotion is Flagger's on a real node, with its least interval of 10 s, ten percent more each time up " +
    "to all, every step once all sidecars have the one before, under 12 requests a second: from the new version's Deployment to `Succeeded`, all on both cores.",
  columns: [
    { key: "series", title: "series", digits: 0 },
    { key: "bytes", title: "bytes", digits: 0 },
    { key: "ms", title: "median ms", digits: 2 },
    { key: "cpuMs", title: "CPU ms", digits: 2 },
    { key: "cores", title: "cores", digits: 3 },
    { key: "seconds", title: "s", digits: 0 },
    { key: "requests", title: "requests", digits: 0 },
    { key: "failed", title: "wrong", digits: 0 },
  ],
  compared: null,
  async measure(session) {
    const rows: Row[] = [];
    const add = (contender: string, values: Row["values"]) => {
      console.error(`metrics, ${contender}: ${JSON.stringify(values)}`);
      rows.push({ contender, variant: "", values });
    };
    using _ = pinThisProcess(LOAD_CORES);
    const mesh = await LargeMesh.start(session, SERVICES);
    let text = "";
    try {
      await withSidecar(mesh.sidecar(), async (sidecar) => {
        for (const inUse of IN_USE) {
          await askFirst(sidecar, inUse);
          text = (await sidecar.admin("/metrics")).text;
          add(METRICS_MEASURES.scrape(inUse), await scrapeCosts(session, sidecar, text));
        }
      });
    } finally {
      await mesh.stop();
    }
    // What one lacks is no reason to lose the others.
    const attempt = (measure: string, values: Promise<Row["values"]>) =>
      values.then((known) => add(measure, known), (error) => session.leaveOut(measure, error));
    await attempt(METRICS_MEASURES.reading, readingCosts(session, text));
    if (isForResults(session.options)) {
      await attempt(METRICS_MEASURES.promotion, promotionCosts());
    }
    return rows;
  },
};

async function scrapeCosts(
  { options: { rounds } }: Session,
  sidecar: SidecarProcess,
  text: string,
): Promise<Row["values"]> {
  const times: number[] = [];
  const before = sidecar.process.cpuSeconds();
  for (let scrape = 0; scrape < rounds * SCRAPES; scrape++) {
    const startMs = performance.now();
    await sidecar.admin("/metrics");
    times.push(performance.now() - startMs);
  }
  const cpuMs = (sidecar.process.cpuSeconds() - before) * 1_000 / times.length;
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  return { series, bytes: text.length, ms: median(times), cpuMs };
}

async function readingCosts(
  { options: { rounds } }: Session,
  text: string,
): Promise<Row["values"]> {
  const servers = Array.from({ length: SIDECARS }, (_, index) =>
    Deno.serve(
      { hostname: sidecarAddress(index), port: HEALTH_PORT, onListen() {} },
      () => new Response(text),
    ));
  const script = beside(import.meta.url, "../metrics/reader_main.ts");
  const reader = new LineProcess(script, [String(SIDECARS)], ["taskset", "-c", proxyCores(1)]);
  try {
    const seconds = rounds * HISTORY_STEP_MS / 1_000;
    console.error(`metrics: all are read once in ${HISTORY_STEP_MS / 1_000} s, for ${seconds} s`);
    const { read, cpuSeconds }: SidecarReading = JSON.parse(await reader.ask(String(seconds)));
    if (read < READ_MIN * SIDECARS) throw new Error(`${read} sidecars of ${SIDECARS} were read`);
    return { cpuMs: cpuSeconds * 1_000 / rounds, cores: cpuSeconds / seconds };
  } finally {
    await reader.stop();
    await Promise.all(servers.map((server) => server.shutdown()));
  }
}

/** On both cores: a node is more than one of them. What it waits for is bounded step by step; building programs, once, is not. */
async function promotionCosts(): Promise<Row["values"]> {
  if (Deno.uid() !== 0) throw new Unavailable("only root can run a node");
  if (!isInstalled("go")) throw new Unavailable(`"go" is not installed`);
  const cores = `0-${navigator.hardwareConcurrency - 1}`;
  const startMs = performance.now();
  const say = (text: string) => {
    const seconds = Math.round((performance.now() - startMs) / 1_000);
    console.error(`metrics, promotion, after ${seconds} s: ${text}`);
  };
  say("a node starts; the promotion takes some four minutes in all");
  const child = new Deno.Command("taskset", {
    args: ["-c", cores, "tests/cluster/run_on_node", "tests/cluster/canary/ten_steps.ts"],
    env: { PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}` },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const lines: string[] = [];
  for await (const line of readLines(child.stdout, () => LINE_BYTES_MAX)) {
    lines.push(line);
    if (line.startsWith(STEP)) say(line);
  }
  await child.status;
  if (lines.some((line) => line.includes(" ignored"))) {
    throw new Unavailable("tests/cluster/get --canary and --helm build it");
  }
  const said = lines.find((line) => line.startsWith('{"seconds":'));
  if (said === undefined) throw new Error(`No promotion: ${lines.slice(-20).join("\n")}`);
  const { seconds, requests, wrong }: TenSteps = JSON.parse(said);
  return { seconds, requests, failed: wrong };
}
