/**
 * Workloads that put load on proxies. All proxies run from start to end, and rounds take them in turn, so that a slow minute of
 * the machine falls on each of them. Owns that procedure and its columns; not what the load is.
 */
import type { Contender, Job } from "../contenders/contender.ts";
import type { LoadResult, LoadTarget } from "../load/load.ts";
import { requireInstalled } from "../process.ts";
import { type Column, medianOf, nameOf, type Row } from "../report.ts";
import { LOAD_CORES, type Running, type Session } from "../session.ts";
import type { BenchWorkload } from "./workload.ts";

/** The row of the origins alone. */
export const NO_PROXY = "no proxy";

/** With more, what was measured is not the job. */
const ERRORS_SHARE_MAX = 0.01;

/** Of the CPU time of one: a megabyte takes hundreds of microseconds, a message less than one. */
const DIGITS = { request: 1, MB: 0, message: 2, connection: 0 } as const;

/** Before the first round, so that no round is spent on compiling and on opening connections. */
const WARM_UP_SECONDS = 1;

export interface Load {
  /** Appended to keys and, in words, to titles of columns; empty if there is but one load. */
  readonly key: string;
  readonly label: string;
  readonly latency: readonly (keyof LoadResult["latency"])[];
  run(target: LoadTarget, job: Job): Promise<LoadResult>;
}

/** One of several jobs that a workload compares. */
interface Variant {
  readonly label: string;
  readonly job: Job;
}

interface LoadWorkload {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly variants: readonly Variant[];
  readonly loads: readonly Load[];
  /** Singular. */
  readonly unit: "request" | "MB" | "message" | "connection";
  /** Programs that have to be installed. */
  readonly tools: readonly string[];
  /** Clients can speak with the origins themselves, and are measured doing so. */
  readonly hasNoProxy: boolean;
  /** Other forms of contenders are measured too, and memory after the load. */
  readonly hasForms: boolean;
}

interface Target {
  readonly name: string;
  readonly variant: Variant;
  readonly port: number;
  readonly takesConnect: boolean;
  /** Null for the origins themselves. */
  readonly running: Running | null;
  readonly rounds: Record<string, number | null>[];
  errors: number;
  /** It has failed, and is not measured any more. */
  isOut: boolean;
}

export function loadWorkload(given: LoadWorkload): BenchWorkload {
  return {
    ...given,
    columns: columnsOf(given),
    compared: keyOf("cpu", given.loads[0]),
    async measure(session) {
      for (const tool of given.tools) requireInstalled(tool);
      const targets: Target[] = [];
      try {
        await startTargets(given, session, targets);
        await measureRounds(given, session, targets);
        return targets.filter(({ isOut }) => !isOut).map((target) => rowOf(given, target));
      } finally {
        for (const { running } of targets) await running?.process.stop();
      }
    },
  };
}

function keyOf(metric: string, { key }: Load): string {
  return key === "" ? metric : `${metric}@${key}`;
}

function perSecond(unit: LoadWorkload["unit"]): string {
  return unit === "MB" ? "MB/s" : `${unit}s/s`;
}

function columnsOf({ loads, unit, hasForms }: LoadWorkload): Column[] {
  const columns: Column[] = [];
  const add = (load: Load, metric: string, title: string, digits: number) => {
    const label = load.label === "" ? "" : `, ${load.label}`;
    columns.push({ key: keyOf(metric, load), title: `${title}${label}`, digits });
  };
  for (const load of loads) add(load, "cpu", `CPU µs/${unit}`, DIGITS[unit]);
  for (const load of loads) {
    add(load, "rate", perSecond(unit), 0);
    for (const name of load.latency) add(load, name, `${name} µs`, 0);
    add(load, "busy", "core busy %", 0);
  }
  if (hasForms) {
    columns.push({ key: "anonymousMb", title: "anonymous MB", digits: 1 });
    columns.push({ key: "residentMb", title: "resident MB", digits: 1 });
  }
  columns.push({ key: "errors", title: "errors", digits: 0 });
  return columns;
}

async function startTargets(
  given: LoadWorkload,
  session: Session,
  targets: Target[],
): Promise<void> {
  for (const variant of given.variants) {
    for (const contender of session.contenders().keys()) {
      if (!contender.can(variant.job) || (contender.isOtherForm && !given.hasForms)) continue;
      const running = await startOrOmit(given, session, contender, variant.job);
      if (running === null) continue;
      const { name, takesConnect } = contender;
      const { port } = running.setting;
      targets.push({ name, variant, port, takesConnect, running, ...nothingYet() });
    }
  }
  if (!given.hasNoProxy) return;
  const [variant] = given.variants;
  const [port] = await session.origins(variant.job.origins);
  const origin = { name: NO_PROXY, variant, port, takesConnect: false, running: null };
  targets.push({ ...origin, ...nothingYet() });
}

async function startOrOmit(
  given: LoadWorkload,
  session: Session,
  contender: Contender,
  job: Job,
): Promise<Running | null> {
  try {
    return await session.start(contender, job);
  } catch (error) {
    session.leaveOut(`${contender.name} in ${given.name}`, error);
    return null;
  }
}

function nothingYet(): Pick<Target, "rounds" | "errors" | "isOut"> {
  return { rounds: [], errors: 0, isOut: false };
}

async function measureRounds(
  given: LoadWorkload,
  session: Session,
  targets: readonly Target[],
): Promise<void> {
  const { seconds, rounds } = session.options;
  for (const target of targets) {
    await attempt(
      given,
      session,
      target,
      () => measureLoad(given, given.loads[0], session, target, WARM_UP_SECONDS),
    );
  }
  for (let round = 1; round <= rounds; round++) {
    for (const target of targets) {
      await attempt(given, session, target, async () => {
        const values: Record<string, number | null> = {};
        for (const load of given.loads) {
          const { numbers, errors } = await measureLoad(given, load, session, target, seconds);
          Object.assign(values, numbers);
          target.errors += errors;
        }
        target.rounds.push(values);
        console.error(`round ${round}, ${describe(given, target, values)}`);
      });
    }
  }
}

/** A contender that fails is out, and the others go on. */
async function attempt(
  given: LoadWorkload,
  session: Session,
  target: Target,
  work: () => Promise<unknown>,
): Promise<void> {
  if (target.isOut) return;
  try {
    await work();
  } catch (error) {
    target.isOut = true;
    session.leaveOut(`${target.name} in ${given.name}`, error);
  }
}

async function measureLoad(
  { unit }: LoadWorkload,
  load: Load,
  session: Session,
  target: Target,
  seconds: number,
) {
  const process = target.running?.process ?? null;
  const before = process?.cpuSeconds() ?? 0;
  const started = performance.now();
  const { port, takesConnect, variant } = target;
  const aim = { port, takesConnect, seconds, cores: LOAD_CORES, folder: session.folder };
  const result = await load.run(aim, variant.job);
  const elapsedSeconds = (performance.now() - started) / 1000;
  const cpuSeconds = process === null ? null : process.cpuSeconds() - before;
  if (result.errors > result.units * ERRORS_SHARE_MAX) {
    throw new Error(`${result.errors} errors beside ${Math.round(result.units)} ${unit}s`);
  }
  const numbers: Record<string, number | null> = {
    [keyOf("cpu", load)]: cpuSeconds === null ? null : cpuSeconds / result.units * 1e6,
    [keyOf("rate", load)]: result.unitsPerSecond,
    [keyOf("busy", load)]: cpuSeconds === null ? null : cpuSeconds / elapsedSeconds * 100,
  };
  for (const name of load.latency) numbers[keyOf(name, load)] = result.latency[name] ?? null;
  return { numbers, errors: result.errors };
}

function describe({ name, loads, unit }: LoadWorkload, target: Target, values: Row["values"]) {
  const who = nameOf({ contender: target.name, variant: target.variant.label, values });
  const cpu = values[keyOf("cpu", loads[0])]?.toFixed(DIGITS[unit]) ?? "–";
  const rate = values[keyOf("rate", loads[0])]?.toFixed(0) ?? "–";
  return `${name}, ${who}: ${cpu} µs CPU/${unit}, ${rate} ${perSecond(unit)}`;
}

function rowOf({ hasForms }: LoadWorkload, target: Target): Row {
  const memory = hasForms ? target.running?.process.memory() ?? null : null;
  return {
    contender: target.name,
    variant: target.variant.label,
    rounds: target.rounds,
    values: {
      ...medianOf(target.rounds),
      anonymousMb: memory && memory.anonymousKb / 1024,
      residentMb: memory && memory.residentKb / 1024,
      errors: target.errors,
    },
  };
}
