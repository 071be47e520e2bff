/**
 * What a plan of 10 000 Services costs where it is made, on its way, and in a sidecar that asks for what it uses; and what a change of
 * it costs. Weft alone: the rows are measures.
 */
import { runWrk } from "../load/wrk.ts";
import { hostOf, LargeMesh, SidecarClient, type SidecarProcess } from "../plans/large_mesh.ts";
import { MESH_ENDPOINTS } from "../plans/source_main.ts";
import { settledMemory } from "../process.ts";
import { median, type Row } from "../report.ts";
import { LOAD_CORES, pinThisProcess, type Session } from "../session.ts";
import type { BenchWorkload } from "./workload.ts";

const SMALL = 1_000;
const LARGE = 10_000;

/** An application calls so many; most call fewer than the first of these. */
const IN_USE = [0, 20, 1_000];

/** Pairs of a window of time with a change and one without. */
const STALL_WINDOWS = 150;
const WINDOW_MS = 60;

/** Of each kind: with all of them as many are in use as an application may call. */
const FIRST_REQUESTS = 500;
const CHANGE_MS = 100;

export const PLAN_COSTS: BenchWorkload = {
  name: "plans",
  title: "Plans of 10 000 Services",
  about:
    `Services have ${MESH_ENDPOINTS} endpoints, every fifth is split in two. The source is a process of its own (the controller's compiler and stream, over TLS ` +
    "on this machine), on the core of the load, and holds pods as a controller does: what those of one workload have in common, once. Weft is a sidecar that asks it. Bytes are those of the JSON text. Memory is anonymous, and " +
    "that of the source all that was resident at most. A window is " +
    `${WINDOW_MS} ms of one request after the other: its number is the longest of them, and medians are over ${STALL_WINDOWS} windows of each kind, in turn.`,
  columns: [
    { key: "ms", title: "median ms", digits: 3 },
    { key: "p99", title: "p99 ms", digits: 3 },
    { key: "bytes", title: "bytes", digits: 0 },
    { key: "mb", title: "MB", digits: 1 },
    { key: "series", title: "series", digits: 0 },
    { key: "rate", title: "requests/s", digits: 0 },
    { key: "failed", title: "failed", digits: 0 },
  ],
  compared: null,
  async measure(session) {
    const rows: Row[] = [];
    const add = (measure: string, values: Row["values"]) => {
      console.error(`plans, ${measure}: ${JSON.stringify(values)}`);
      rows.push({ contender: measure, variant: "", values });
    };
    using _ = pinThisProcess(LOAD_CORES);
    const small = await LargeMesh.start(session, SMALL);
    try {
      await addChanges(small, "1 000 Services", add);
    } finally {
      await small.stop();
    }
    const large = await LargeMesh.start(session, LARGE);
    try {
      const { compileMs, peakMb } = large.start;
      add(PLAN_MEASURES.compiled, { ms: compileMs, mb: peakMb });
      await addChanges(large, "10 000 Services", add);
      await addMemory(large, add);
      await addPlanFile(large, add);
      await addStalls(large, add);
      await addFirstRequests(large, add);
      await addLoad(session, large, add);
    } finally {
      await large.stop();
    }
    return rows;
  },
};

/** Of the measures that have targets. */
export const PLAN_MEASURES = {
  compiled: "all is compiled",
  addressSmall: "an address changes, 1 000 Services",
  address: "an address changes, 10 000 Services",
  unused: "the same for a sidecar that does not use the Service, 10 000 Services",
  weight: "a weight changes, 10 000 Services",
  memory: (inUse: number) => `sidecar, ${inUse} Services in use`,
  memoryOfFile: "sidecar with `--plan`, 0 Services in use",
  metrics: "`/metrics` of a sidecar, 0 Services in use",
  quiet: "longest request of a window, 1 000 Services in use",
  changing: "the same while an address changes",
  held: "first request to a Service that is held",
  asked: "first request to one that is asked about",
  load: "64 connections",
  changingLoad: `64 connections, an address of theirs changes every ${CHANGE_MS} ms`,
} as const;

type Add = (measure: string, values: Row["values"]) => void;

async function addChanges(mesh: LargeMesh, of: string, add: Add): Promise<void> {
  const address = await mesh.costs("address");
  add(`an address changes, ${of}`, {
    ms: address.medianMs,
    p99: address.p99Ms,
    bytes: address.bytes,
  });
  add(`the same for a sidecar that does not use the Service, ${of}`, { bytes: address.otherBytes });
  const weight = await mesh.costs("weight");
  add(`a weight changes, ${of}`, { ms: weight.medianMs, p99: weight.p99Ms, bytes: weight.bytes });
}

/** Runs `work` with a sidecar, which ends with it. */
export async function withSidecar<T>(
  starting: Promise<SidecarProcess>,
  work: (sidecar: SidecarProcess) => Promise<T>,
): Promise<T> {
  const sidecar = await starting;
  try {
    return await work(sidecar);
  } finally {
    await sidecar.process.stop();
  }
}

/** One request to each of the first Services. */
export async function askFirst(sidecar: SidecarProcess, count: number): Promise<void> {
  const client = await SidecarClient.open(sidecar);
  for (let service = 0; service < count; service++) await client.ask(service);
  client.close();
}

function addMemory(mesh: LargeMesh, add: Add): Promise<void> {
  return withSidecar(mesh.sidecar(), async (sidecar) => {
    for (const count of IN_USE) {
      await askFirst(sidecar, count);
      await addMemoryOf(sidecar, PLAN_MEASURES.memory(count), add);
    }
  });
}

async function addMemoryOf(sidecar: SidecarProcess, measure: string, add: Add): Promise<void> {
  // Once the memory that compiling took has been given back as well (MEMORY_TRIM_MS of the sidecar).
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  const { anonymousKb } = await settledMemory(sidecar.process);
  const { text } = await sidecar.admin("/metrics");
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  add(measure, { mb: anonymousKb / 1024 });
  add(`\`/metrics\` of a ${measure}`, { bytes: text.length, series });
}

async function addPlanFile(mesh: LargeMesh, add: Add): Promise<void> {
  const plan = await mesh.writePlan();
  const startMs = performance.now();
  await withSidecar(mesh.sidecar(plan), async (sidecar) => {
    add(`ready with \`--plan\` of ${(Deno.statSync(plan).size / 1e6).toFixed(0)} MB`, {
      ms: performance.now() - startMs,
    });
    await addMemoryOf(sidecar, PLAN_MEASURES.memoryOfFile, add);
  });
}

function addStalls(mesh: LargeMesh, add: Add): Promise<void> {
  return withSidecar(mesh.sidecar(), async (sidecar) => {
    await askFirst(sidecar, IN_USE[2]);
    const client = await SidecarClient.open(sidecar);
    const longest: Record<"changed" | "quiet", number[]> = { changed: [], quiet: [] };
    for (let window = 0; window < STALL_WINDOWS; window++) {
      for (const kind of ["changed", "quiet"] as const) {
        const endMs = performance.now() + WINDOW_MS;
        // Another Service than the one that is asked, which is held as well.
        if (kind === "changed") await mesh.change("address", 1 + window);
        let most = 0;
        while (performance.now() < endMs) most = Math.max(most, await client.ask(0));
        longest[kind].push(most);
      }
    }
    client.close();
    add(PLAN_MEASURES.quiet, { ms: median(longest.quiet) });
    add(PLAN_MEASURES.changing, { ms: median(longest.changed) });
  });
}

/** Every other Service is asked about before its first request, which then finds it held, but no connection to it either. */
function addFirstRequests(mesh: LargeMesh, add: Add): Promise<void> {
  return withSidecar(mesh.sidecar(), async (sidecar) => {
    const client = await SidecarClient.open(sidecar);
    const held: number[] = [];
    const asked: number[] = [];
    for (let i = 0; i < FIRST_REQUESTS; i++) {
      // Two apart: what one needs of the next is not held by accident.
      const [one, other] = [4 * i, 4 * i + 2];
      await sidecar.admin(`/explain?url=http://${hostOf(one)}/`);
      held.push(await client.ask(one));
      asked.push(await client.ask(other));
    }
    client.close();
    add(PLAN_MEASURES.held, { ms: median(held), p99: p99(held) });
    add(PLAN_MEASURES.asked, { ms: median(asked), p99: p99(asked) });
  });
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)];
}

function addLoad(session: Session, mesh: LargeMesh, add: Add): Promise<void> {
  const { seconds, rounds } = session.options;
  return withSidecar(mesh.sidecar(), async ({ port }) => {
    const target = { port, cores: LOAD_CORES, folder: session.folder, takesConnect: false };
    const load = async (seconds: number, isChanging: boolean) => {
      const timer = isChanging
        ? setInterval(() => void mesh.change("address", 0), CHANGE_MS)
        : undefined;
      const host = hostOf(0);
      const wrk = { connections: 64, scheme: "http", path: "/", host } as const;
      const { latency, unitsPerSecond, errors } = await runWrk({ ...target, seconds }, wrk);
      clearInterval(timer);
      return { p99: (latency.p99 ?? 0) / 1_000, rate: unitsPerSecond, failed: errors };
    };
    await load(1, true);
    const quiet: Awaited<ReturnType<typeof load>>[] = [];
    const changing: typeof quiet = [];
    for (let round = 0; round < rounds; round++) {
      quiet.push(await load(seconds, false));
      changing.push(await load(seconds, true));
    }
    for (
      const [measure, got] of [
        [PLAN_MEASURES.load, quiet],
        [PLAN_MEASURES.changingLoad, changing],
      ] as const
    ) {
      add(measure, {
        p99: median(got.map(({ p99 }) => p99)),
        rate: median(got.map(({ rate }) => rate)),
        failed: got.reduce((sum, { failed }) => sum + failed, 0),
      });
    }
  });
}
