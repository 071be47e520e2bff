/**
 * `deno run -A bench/tls.ts`: the job of `run.ts` with clients that speak TLS 1.3 (HTTP/1.1, keep-alive), and writes
 * bench/RESULTS_TLS.md. Owns the procedure for TLS; the configurations are those of `contenders.ts`, with TLS on the listener.
 *
 *   deno run -A bench/tls.ts [--seconds N] [--rounds N] [--only NAME[,NAME]]
 */
import { type Contender, CONTENDERS, type Setting } from "./contenders.ts";
import { PROXY_AUTHORITY, PROXY_HOST } from "./mesh.ts";
import { startOrigins } from "./origins.ts";
import { freePort, isInstalled, PinnedProcess } from "./process.ts";
import { type Measurement, medianOf, renderRatios, renderRows, type Row } from "./report.ts";
import { parseWrk } from "./wrk.ts";

const LOAD_CORE = "0";
const PROXY_CORE = 1;
const RESULTS = new URL("./RESULTS_TLS.md", import.meta.url);

interface Certificate {
  readonly chain: string;
  readonly key: string;
}

interface Running {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  readonly process: PinnedProcess;
  readonly at1: Measurement[];
  readonly at64: Measurement[];
  errors: number;
}

/** What turns the plain contender of `contenders.ts` into one that speaks TLS. Gets its command and returns the new one. */
type Securing = (command: string[], setting: Setting, certificate: Certificate) => string[];

const secureWeft: Securing = (command, _setting, { chain, key }) => [
  ...command,
  ...["--outbound-tls-cert", chain, "--outbound-tls-key", key],
];

const SECURINGS: Readonly<Record<string, Securing>> = {
  "Weft": secureWeft,
  "Weft from source": secureWeft,
  "HAProxy": (command, { folder, port }, { chain, key }) => {
    const pem = `${folder}/server.pem`;
    Deno.writeTextFileSync(pem, Deno.readTextFileSync(chain) + Deno.readTextFileSync(key));
    const bind = `bind 127.0.0.1:${port}`;
    edit(`${folder}/haproxy.cfg`, bind, `${bind} ssl crt ${pem}`);
    return command;
  },
  "nginx": (command, { folder, port }, { chain, key }) => {
    const listen = `listen 127.0.0.1:${port};`;
    const secured = `listen 127.0.0.1:${port} ssl;
    ssl_certificate ${chain};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;`;
    edit(`${folder}/nginx.conf`, listen, secured);
    return command;
  },
};

function edit(path: string, from: string, to: string): void {
  const text = Deno.readTextFileSync(path);
  if (!text.includes(from)) throw new Error(`${path} has no "${from}"`);
  Deno.writeTextFileSync(path, text.replace(from, to));
}

function makeCertificate(folder: string): Certificate {
  const certificate = { chain: `${folder}/server.crt`, key: `${folder}/server.key` };
  const { success, stderr } = new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", certificate.key, "-out", certificate.chain, "-days", "2"],
      ...["-subj", "/CN=weft", "-addext", `subjectAltName=DNS:${PROXY_HOST}`],
    ],
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return certificate;
}

async function start(
  contender: Contender,
  folder: string,
  origins: readonly [number, number],
  certificate: Certificate,
): Promise<Running | null> {
  const { name } = contender;
  const secure = SECURINGS[name];
  if (secure === undefined) return null;
  const version = contender.version();
  if (version === null) {
    console.error(`skipped ${name}: not on this machine`);
    return null;
  }
  const own = `${folder}/${name.replace(/\W+/g, "-")}`;
  Deno.mkdirSync(own);
  const setting = { folder: own, port: freePort(), adminPort: freePort(), origins };
  const command = secure(contender.prepare(setting), setting, certificate);
  const process = new PinnedProcess(command, PROXY_CORE, `${own}/log`);
  try {
    await process.waitUntil(() => contender.isReady(setting));
  } catch (error) {
    console.error(`skipped ${name}: ${error instanceof Error ? error.message : error}`);
    await process.stop();
    return null;
  }
  return { name, version, port: setting.port, process, at1: [], at64: [], errors: 0 };
}

async function measure(
  { process, port }: Running,
  connections: number,
  seconds: number,
): Promise<[Measurement, number]> {
  const cpuBefore = process.cpuSeconds();
  const started = performance.now();
  const { stdout, stderr } = await new Deno.Command("taskset", {
    args: [
      ...["-c", LOAD_CORE, "wrk", "--latency", "-t", "1", "-c", String(connections)],
      ...["-d", `${seconds}s`, "-H", `Host: ${PROXY_AUTHORITY}`],
      `https://127.0.0.1:${port}/test`,
    ],
  }).output();
  const elapsedSeconds = (performance.now() - started) / 1000;
  const cpuSeconds = process.cpuSeconds() - cpuBefore;
  const decoder = new TextDecoder();
  const load = parseWrk(decoder.decode(stdout) + decoder.decode(stderr));
  const { requestsPerSecond, p50, p99 } = load;
  const cpu = cpuSeconds / load.requests * 1e6;
  return [{ cpu, requestsPerSecond, p50, p99, busy: cpuSeconds / elapsedSeconds }, load.errors];
}

async function measureRounds(running: readonly Running[], seconds: number, rounds: number) {
  for (const target of running) await measure(target, 64, 1);
  for (let round = 1; round <= rounds; round++) {
    for (const target of running) {
      for (const [connections, into] of [[64, target.at64], [1, target.at1]] as const) {
        const [measurement, errors] = await measure(target, connections, seconds);
        into.push(measurement);
        target.errors += errors;
      }
      const { cpu, requestsPerSecond } = target.at64[round - 1];
      console.error(
        `round ${round} ${target.name}: ${cpu?.toFixed(1)} µs CPU a request, ` +
          `${requestsPerSecond.toFixed(0)} requests/s`,
      );
    }
  }
}

function rowOf({ name, process, at1, at64, errors }: Running): Row {
  const { privateKb, residentKb } = process.memory();
  return {
    name,
    at1: medianOf(at1),
    at64: medianOf(at64),
    privateMb: privateKb / 1024,
    residentMb: residentKb / 1024,
    errors,
  };
}

function render(running: readonly Running[], seconds: number, rounds: number): string {
  const rows = running.map(rowOf);
  const versions = running.map(({ name, version }) => `- **${name}**: ${version}`);
  return `# Results over TLS

Written by \`deno run -A bench/tls.ts\`; do not edit. Numbers of one machine on one day: compare within a table only.

The job of RESULTS.md with clients that speak HTTP/1.1 over TLS 1.3 (ECDSA P-256, connections kept): ${rounds} rounds of
${seconds} s for each proxy and load, taken in turn; medians. wrk and the plain origins share a core, the proxy has one to itself.

${versions.join("\n")}

## Numbers

${renderRows(rows)}
## Ratios

${renderRatios(rows, rows[0]?.name ?? "")}`;
}

function numberOption(args: readonly string[], flag: string, byDefault: number): number {
  const at = args.indexOf(flag);
  const value = at < 0 ? byDefault : Number(args[at + 1]);
  if (!Number.isInteger(value) || value < 1 || value > 60) {
    console.error(`${flag} takes a whole number from 1 to 60`);
    Deno.exit(2);
  }
  return value;
}

async function main(args: readonly string[]): Promise<void> {
  const seconds = numberOption(args, "--seconds", 3);
  const rounds = numberOption(args, "--rounds", 3);
  const only = args.includes("--only") ? args[args.indexOf("--only") + 1].split(",") : [];
  for (const tool of ["nginx", "wrk", "taskset", "openssl"]) {
    if (isInstalled(tool)) continue;
    console.error(`"${tool}" is not installed, and every measurement needs it`);
    Deno.exit(2);
  }
  const folder = Deno.makeTempDirSync({ prefix: "weft-bench-tls-" });
  const certificate = makeCertificate(folder);
  const [originProcess, origins] = await startOrigins(folder, Number(LOAD_CORE));
  const running: Running[] = [];
  try {
    for (const contender of CONTENDERS) {
      const isWanted = only.length === 0 || only.includes(contender.name);
      const started = isWanted ? await start(contender, folder, origins, certificate) : null;
      if (started !== null) running.push(started);
    }
    await measureRounds(running, seconds, rounds);
    const text = render(running, seconds, rounds);
    console.log(text);
    if (only.length === 0) Deno.writeTextFileSync(RESULTS, text);
  } finally {
    for (const { process } of running) await process.stop();
    await originProcess.stop();
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main(Deno.args);
