/**
 * `deno task bench`: measures Weft beside other proxies that do the same job, in one run on this machine, and
 * writes bench/RESULTS.md. Owns the procedure: who runs on which core, in what order, for how long.
 *
 *   deno task bench [--seconds N] [--rounds N] [--only NAME[,NAME]] [--no-micro]
 *
 * Core 1 belongs to the proxy under measurement, core 0 to wrk and the origins. The proxies all run from start to
 * end, and rounds take them in turn, so that a slow minute of the machine falls on each of them; medians are shown.
 */
import { CONTENDERS, type Setting, weftCommand } from "./contenders.ts";
import { PROXY_AUTHORITY } from "./mesh.ts";
import { startOrigins } from "./origins.ts";
import { runMicroBenchmarks } from "./micro.ts";
import { freePort, isInstalled, outputOf, PinnedProcess } from "./process.ts";
import {
  type Measurement,
  median,
  medianOf,
  renderRatios,
  renderRows,
  renderTable,
  type Row,
} from "./report.ts";
import { type LoadResult, runWrk } from "./wrk.ts";

const LOAD_CORE = 0;
const PROXY_CORE = 1;
const START_UPS = 7;
const RESULTS = new URL("./RESULTS.md", import.meta.url);

interface Options {
  readonly seconds: number;
  readonly rounds: number;
  /** Contenders to measure; empty: all. */
  readonly only: readonly string[];
  readonly hasMicro: boolean;
}

interface Running {
  readonly name: string;
  readonly note: string;
  readonly version: string;
  readonly setting: Setting;
  /** Null for the origin itself. */
  readonly process: PinnedProcess | null;
  readonly at1: Measurement[];
  readonly at64: Measurement[];
  errors: number;
}

function parseOptions(args: string[]): Options {
  const options = { seconds: 3, rounds: 3, only: [] as string[], hasMicro: true };
  for (let i = 0; i < args.length; i++) {
    const flag = args[i];
    if (flag === "--no-micro") options.hasMicro = false;
    else if (flag === "--seconds") options.seconds = Number(args[++i]);
    else if (flag === "--rounds") options.rounds = Number(args[++i]);
    else if (flag === "--only") options.only = (args[++i] ?? "").toLowerCase().split(",");
    else fail(`Unknown option "${flag}"`);
  }
  const isCount = (n: number) => Number.isInteger(n) && n >= 1 && n <= 60;
  if (!isCount(options.seconds) || !isCount(options.rounds)) {
    fail("--seconds and --rounds take a whole number from 1 to 60");
  }
  return options;
}

function fail(message: string): never {
  console.error(message);
  Deno.exit(2);
}

function settingIn(folder: string, name: string, origins: readonly [number, number]): Setting {
  const own = `${folder}/${name.replace(/\W+/g, "-")}`;
  Deno.mkdirSync(own);
  return { folder: own, port: freePort(), adminPort: freePort(), origins };
}

/** Starts what is there and said in `only`; says what is missing or does not start. */
async function startContenders(
  options: Options,
  folder: string,
  origins: readonly [number, number],
): Promise<Running[]> {
  const running: Running[] = [];
  for (const contender of CONTENDERS) {
    const { name, note } = contender;
    const isWanted = options.only.some((word) => name.toLowerCase().includes(word));
    if (options.only.length > 0 && !isWanted) continue;
    const version = contender.version();
    if (version === null) {
      console.error(`skipped ${name}: not on this machine`);
      continue;
    }
    const setting = settingIn(folder, name, origins);
    const log = `${setting.folder}/log`;
    const process = new PinnedProcess(contender.prepare(setting), PROXY_CORE, log);
    try {
      await process.waitUntil(() => contender.isReady(setting));
      running.push({ name, note, version, setting, process, at1: [], at64: [], errors: 0 });
    } catch (error) {
      console.error(`skipped ${name}: ${error instanceof Error ? error.message : error}`);
      await process.stop();
    }
  }
  return running;
}

async function measure(
  target: Running,
  connections: number,
  seconds: number,
): Promise<[Measurement, LoadResult]> {
  const cpuBefore = target.process?.cpuSeconds() ?? 0;
  const started = performance.now();
  const load = await runWrk({
    port: target.setting.port,
    connections,
    seconds,
    core: LOAD_CORE,
    host: PROXY_AUTHORITY,
    path: "/test",
  });
  const elapsedSeconds = (performance.now() - started) / 1000;
  const cpuSeconds = target.process === null ? null : target.process.cpuSeconds() - cpuBefore;
  const measurement = {
    cpu: cpuSeconds === null ? null : cpuSeconds / load.requests * 1e6,
    requestsPerSecond: load.requestsPerSecond,
    p50: load.p50,
    p99: load.p99,
    busy: cpuSeconds === null ? null : cpuSeconds / elapsedSeconds,
  };
  return [measurement, load];
}

async function measureRounds(running: readonly Running[], options: Options): Promise<void> {
  for (const target of running) await measure(target, 64, 1);
  for (let round = 1; round <= options.rounds; round++) {
    for (const target of running) {
      for (const [connections, into] of [[64, target.at64], [1, target.at1]] as const) {
        const [measurement, load] = await measure(target, connections, options.seconds);
        into.push(measurement);
        target.errors += load.errors;
      }
      const { cpu, requestsPerSecond } = target.at64[round - 1];
      console.error(
        `round ${round} ${target.name}: ${cpu?.toFixed(1) ?? "–"} µs CPU a request, ` +
          `${requestsPerSecond.toFixed(0)} requests/s`,
      );
    }
  }
}

function rowOf({ name, process, at1, at64, errors }: Running): Row {
  const memory = process?.memory() ?? null;
  return {
    name,
    at1: medianOf(at1),
    at64: medianOf(at64),
    privateMb: memory && memory.privateKb / 1024,
    residentMb: memory && memory.residentKb / 1024,
    errors,
  };
}

/** Milliseconds of `weft version`, and of the sidecar until it is ready, each the median of several starts. */
async function measureStartUp(
  folder: string,
  origins: readonly [number, number],
  measured: ReadonlySet<string>,
): Promise<string> {
  const rows: string[][] = [];
  for (const contender of CONTENDERS) {
    const command = weftCommand(contender.name === "Weft" ? "compiled" : "source");
    if (!contender.name.startsWith("Weft") || !measured.has(contender.name)) continue;
    if (command === null) continue;
    const versions: number[] = [];
    const sidecars: number[] = [];
    const setting = settingIn(folder, `${contender.name} start`, origins);
    const start = contender.prepare(setting);
    for (let i = 0; i < START_UPS; i++) {
      const started = performance.now();
      outputOf(command[0], [...command.slice(1), "version"]);
      versions.push(performance.now() - started);
      const process = new PinnedProcess(start, PROXY_CORE, `${setting.folder}/log`);
      sidecars.push(await process.waitUntil(() => contender.isReady(setting)));
      await process.stop();
    }
    rows.push([contender.name, median(versions).toFixed(0), median(sidecars).toFixed(0)]);
  }
  return renderTable(["", "`weft version`, ms", "sidecar until /readyz, ms"], rows);
}

function describeMachine(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  const system = /^PRETTY_NAME="(.*)"$/m.exec(Deno.readTextFileSync("/etc/os-release"))?.[1];
  return `${navigator.hardwareConcurrency} × ${model ?? Deno.build.arch}, ${system ?? "Linux"}, ` +
    `kernel ${Deno.osRelease()}`;
}

function renderResults(parts: {
  options: Options;
  running: readonly Running[];
  rows: readonly Row[];
  startUp: string;
  micro: string;
}): string {
  const { options, running, rows, startUp, micro } = parts;
  const base = rows.find(({ name }) => name.startsWith("Weft"))?.name ?? "";
  const versions = running.filter(({ process }) => process !== null).map((
    { name, version, note },
  ) => `- **${name}**: ${version}; ${note}`);
  return `# Results

Written by \`deno task bench\` (\`bench/run.ts\`); do not edit. Numbers of one machine on one day: compare within a table only.

Machine: ${describeMachine()}. ${options.rounds} rounds of ${options.seconds} s for each proxy and load, taken in turn; medians.
wrk 4.1 with one thread and both origins (nginx, a fixed answer of 13 bytes) share core ${LOAD_CORE}; each proxy has core
${PROXY_CORE} to itself while it is measured. Above about 90 % "core busy" the proxy is what limits requests/s, below it core
${LOAD_CORE} is, and only CPU a request compares proxies. The job: \`^/test\` to two origins 75/25, else to the first.

${versions.join("\n")}

## Numbers

${renderRows(rows)}
## Ratios

${renderRatios(rows, base)}
## Start-up

${startUp}${micro === "" ? "" : `\n## Micro benchmarks\n\n${micro}`}`;
}

async function main(args: string[]): Promise<void> {
  const options = parseOptions(args);
  for (const tool of ["nginx", "wrk", "taskset"]) {
    if (!isInstalled(tool)) fail(`"${tool}" is not installed, and every measurement needs it`);
  }
  if (navigator.hardwareConcurrency < 2) fail("Two cores are needed: one for the proxy alone");

  const folder = Deno.makeTempDirSync({ prefix: "weft-bench-" });
  const [originProcess, origins] = await startOrigins(folder, LOAD_CORE);
  const running: Running[] = [];
  try {
    running.push(...await startContenders(options, folder, origins));
    const direct = settingIn(folder, "direct", origins);
    running.push({
      name: "no proxy",
      note: "",
      version: "",
      setting: { ...direct, port: origins[0] },
      process: null,
      at1: [],
      at64: [],
      errors: 0,
    });
    await measureRounds(running, options);
    const rows = running.map(rowOf);
    const startUp = await measureStartUp(folder, origins, new Set(rows.map((row) => row.name)));
    const micro = options.hasMicro ? await runMicroBenchmarks() : "";
    const text = renderResults({ options, running, rows, startUp, micro });
    console.log(text);
    // A partial run must not pass for the whole.
    if (options.only.length === 0 && options.hasMicro) Deno.writeTextFileSync(RESULTS, text);
  } finally {
    for (const { process } of running) await process?.stop();
    await originProcess.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main(Deno.args);
