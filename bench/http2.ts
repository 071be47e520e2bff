/**
 * HTTP/2 of clients to HTTP/1.1 endpoints: CPU microseconds a request of each proxy alone, under h2load, taken in turn.
 * `deno run -A bench/http2.ts [--seconds N] [--rounds N]` prints a table; it writes no file.
 */
import { type Contender, CONTENDERS, nginxConfiguration, type Setting } from "./contenders.ts";
import { PROXY_AUTHORITY } from "./mesh.ts";
import { acceptsConnections, freePort, isInstalled, outputOf, PinnedProcess } from "./process.ts";
import { median, renderTable } from "./report.ts";

const LOAD_CORE = 0;
const PROXY_CORE = 1;
const CONNECTIONS = 8;
const STREAMS = 16;

/** The contender of the HTTP/1.1 benchmark, with one setting of its file changed. */
function changed(name: string, file: string, from: RegExp, to: string): Contender {
  const contender = CONTENDERS.find((one) => one.name === name);
  if (contender === undefined) throw new Error(`There is no contender called ${name}`);
  return {
    ...contender,
    prepare(setting) {
      const command = contender.prepare(setting);
      const path = `${setting.folder}/${file}`;
      Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replace(from, to));
      return command;
    },
  };
}

const nghttpx: Contender = {
  name: "nghttpx",
  note: "`--workers=1`",
  version: () => isInstalled("nghttpx") ? outputOf("nghttpx", ["--version"]).trim() : null,
  prepare({ port, origins: [v1, v2], folder }) {
    Deno.writeTextFileSync(`${folder}/empty.conf`, "");
    return [
      "nghttpx",
      `--conf=${folder}/empty.conf`,
      `--frontend=127.0.0.1,${port};no-tls`,
      `--backend=127.0.0.1,${v1};/test;group=a;group-weight=75`,
      `--backend=127.0.0.1,${v2};/test;group=b;group-weight=25`,
      `--backend=127.0.0.1,${v1}`,
      "--workers=1",
      "--add-x-forwarded-for",
      "--accesslog-file=/dev/null",
    ];
  },
  isReady: ({ port }) => acceptsConnections(port),
};

const TARGETS: readonly Contender[] = [
  ...CONTENDERS.filter(({ name }) => name.startsWith("Weft")),
  nghttpx,
  changed("HAProxy", "haproxy.cfg", /^( {2}bind \S+)$/m, "$1 proto h2"),
  changed("nginx", "nginx.conf", /(listen \S+);/, "$1 http2;"),
];

interface Load {
  readonly succeeded: number;
  readonly failed: number;
}

/** @throws {Error} h2load says something else than it used to */
async function runH2load(port: number, seconds: number): Promise<Load> {
  const { stdout } = await new Deno.Command("taskset", {
    args: [
      ...["-c", String(LOAD_CORE), "h2load", "-t", "1", "-D", String(seconds)],
      ...["-c", String(CONNECTIONS), "-m", String(STREAMS)],
      ...["-H", `:authority: ${PROXY_AUTHORITY}`, `http://127.0.0.1:${port}/test`],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  const codes = /status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(text);
  const errors = /(\d+) errored, (\d+) timeout/.exec(text);
  if (codes === null || errors === null) throw new Error(`h2load said: ${text}`);
  const [ok, ...others] = codes.slice(1).map(Number);
  const failed = [...others, Number(errors[1]), Number(errors[2])];
  return { succeeded: ok, failed: failed.reduce((sum, count) => sum + count, 0) };
}

async function startOrigins(folder: string): Promise<[PinnedProcess, [number, number]]> {
  const ports: [number, number] = [freePort(), freePort()];
  const servers = ports.map((port, index) =>
    `  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / { default_type text/plain; return 200 "Hi, I am v${index + 1}!\\n"; }
  }`
  );
  const path = `${folder}/origins.conf`;
  Deno.writeTextFileSync(path, nginxConfiguration(folder, servers.join("\n")));
  const command = ["nginx", "-p", folder, "-c", path];
  const process = new PinnedProcess(command, LOAD_CORE, `${folder}/origins.log`);
  await process.waitUntil(() => acceptsConnections(ports[1]));
  return [process, ports];
}

interface Running {
  readonly contender: Contender;
  readonly process: PinnedProcess;
  readonly port: number;
  readonly cpu: number[];
  readonly rate: number[];
  failed: number;
}

async function start(
  contender: Contender,
  folder: string,
  origins: readonly [number, number],
): Promise<Running | null> {
  const own = `${folder}/${contender.name.replace(/\W+/g, "-")}`;
  Deno.mkdirSync(own);
  const port = freePort();
  const setting: Setting = { folder: own, port, adminPort: freePort(), origins };
  try {
    if (contender.version() === null) throw new Error("not on this machine");
    const process = new PinnedProcess(contender.prepare(setting), PROXY_CORE, `${own}/log`);
    await process.waitUntil(() => contender.isReady(setting));
    return { contender, process, port, cpu: [], rate: [], failed: 0 };
  } catch (error) {
    console.error(`skipped ${contender.name}: ${error instanceof Error ? error.message : error}`);
    return null;
  }
}

async function measure(target: Running, seconds: number): Promise<void> {
  const before = target.process.cpuSeconds();
  const { succeeded, failed } = await runH2load(target.port, seconds);
  target.cpu.push((target.process.cpuSeconds() - before) / succeeded * 1e6);
  target.rate.push(succeeded / seconds);
  target.failed += failed;
}

function render(running: readonly Running[]): string {
  const base = median(running[0].cpu);
  const rows = running.map(({ contender, cpu, rate, failed }) => [
    contender.name,
    median(cpu).toFixed(1),
    (base / median(cpu)).toFixed(2),
    median(rate).toFixed(0),
    String(failed),
  ]);
  const titles = [
    "",
    "CPU µs a request",
    `${running[0].contender.name} to it`,
    "requests/s",
    "failed",
  ];
  return renderTable(titles, rows);
}

function numberOf(flag: string, otherwise: number): number {
  const at = Deno.args.indexOf(flag);
  const value = at < 0 ? otherwise : Number(Deno.args[at + 1]);
  if (!Number.isInteger(value) || value < 1 || value > 60) {
    console.error(`${flag} wants a whole number from 1 to 60`);
    Deno.exit(2);
  }
  return value;
}

async function main(): Promise<void> {
  const seconds = numberOf("--seconds", 3);
  const rounds = numberOf("--rounds", 3);
  for (const tool of ["nginx", "h2load", "taskset"]) {
    if (isInstalled(tool)) continue;
    console.error(`"${tool}" is not installed, and every measurement needs it`);
    Deno.exit(1);
  }
  const folder = Deno.makeTempDirSync({ prefix: "weft-bench-http2-" });
  const [originProcess, origins] = await startOrigins(folder);
  const running: Running[] = [];
  try {
    for (const contender of TARGETS) {
      const target = await start(contender, folder, origins);
      if (target !== null) running.push(target);
    }
    for (const target of running) await runH2load(target.port, 1);
    for (let round = 0; round < rounds; round++) {
      for (const target of running) await measure(target, seconds);
    }
    console.log(`h2load, ${CONNECTIONS} connections of ${STREAMS} streams\n\n${render(running)}`);
  } finally {
    for (const { process } of running) await process.stop();
    await originProcess.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
