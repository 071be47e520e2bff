/**
 * One run of the benchmark: its folder, its cores, the origins, and the contenders that it starts. It measures nothing.
 */
import { contenders } from "./contenders/all.ts";
import type { Certificate, Contender, Job, OriginKind, Setting } from "./contenders/contender.ts";
import { runToEnd } from "./contenders/files.ts";
import { PROXY_HOST } from "./contenders/mesh.ts";
import type { Options } from "./options.ts";
import { type Origins, startOrigins } from "./origins.ts";
import { PinnedProcess, Unavailable } from "./process.ts";
import { freePort } from "../tests/support/free_port.ts";

/** Cores on which two workers and their load do not share one. */
export const CORES_FOR_TWO_WORKERS = 4;

const CORES = navigator.hardwareConcurrency;
const HAS_MANY_CORES = CORES >= CORES_FOR_TWO_WORKERS;

/** Load generators and origins. */
export const LOAD_CORES = HAS_MANY_CORES ? "0,3" : "0";

/** The cores of a proxy. With two workers on two cores it has to share one with its load. */
export function proxyCores(workers: number): string {
  if (workers === 1) return "1";
  return HAS_MANY_CORES ? "1,2" : "0,1";
}

/** Keeps this process on some cores, for measurements that it takes itself, until that is disposed of. */
export function pinThisProcess(cores: string): Disposable {
  const pin = (cores: string) => runToEnd(["taskset", "-a", "-c", "-p", cores, String(Deno.pid)]);
  pin(cores);
  return { [Symbol.dispose]: () => void pin(`0-${CORES - 1}`) };
}

/** A contender at work. */
export interface Running {
  readonly contender: Contender;
  readonly setting: Setting;
  readonly process: PinnedProcess;
}

export class Session {
  readonly options: Options;
  /** For files of this run; gone at its end. */
  readonly folder = makeSharedFolder();
  /** What was left out, and why, for readers of the tables. */
  readonly omissions: string[] = [];
  readonly #contenders: readonly Contender[];
  readonly #versions = new Map<Contender, string | null>();
  readonly #origins = new Map<OriginKind, Origins>();
  #certificate: Certificate | null = null;
  #count = 0;
  #hasFaults = false;

  constructor(options: Options) {
    this.options = options;
    this.#contenders = contenders(options.before);
  }

  /** The wanted contenders that are on this machine, with their versions. Says once what is missing. */
  contenders(): ReadonlyMap<Contender, string> {
    const present = new Map<Contender, string>();
    const { only } = this.options;
    for (const contender of this.#contenders) {
      const name = contender.name.toLowerCase();
      if (only.length > 0 && !only.some((word) => name.includes(word))) continue;
      const version = this.#versionOf(contender);
      if (version !== null) present.set(contender, version);
    }
    return present;
  }

  #versionOf(contender: Contender): string | null {
    const known = this.#versions.get(contender);
    if (known !== undefined) return known;
    const version = contender.version();
    this.#versions.set(contender, version);
    if (version === null) this.leaveOut(contender.name, new Unavailable("not on this machine"));
    return version;
  }

  /** Something is not measured, and the rest is. A `reason` other than `Unavailable` is a fault. */
  leaveOut(what: string, reason: unknown): void {
    const line = `${what}: ${reason instanceof Error ? reason.message : reason}`;
    console.error(`left out: ${line}`);
    this.omissions.push(line.split("\n")[0]);
    if (!(reason instanceof Unavailable)) this.#hasFaults = true;
  }

  /** Something went wrong that is not this machine's lack of something. */
  get hasFaults(): boolean {
    return this.#hasFaults;
  }

  /** Ports of v1 and v2, which are started when they are first asked for. */
  async origins(kind: OriginKind): Promise<readonly [number, number]> {
    const running = this.#origins.get(kind);
    if (running !== undefined) return running.ports;
    const started = await startOrigins(kind, `${this.folder}/origins-${kind}`, LOAD_CORES);
    this.#origins.set(kind, started);
    return started.ports;
  }

  /** A folder and free ports for a contender with that job. */
  async settingOf(contender: Contender, job: Job): Promise<Setting> {
    const folder = `${this.folder}/${this.#count++}-${contender.name.replace(/\W+/g, "-")}`;
    Deno.mkdirSync(folder);
    return {
      folder,
      port: freePort(),
      adminPort: freePort(),
      peerPort: freePort(),
      origins: await this.origins(job.origins),
      job,
      certificate: this.certificate,
    };
  }

  /** Starts it on the cores of a proxy and waits until it is ready. Throws where it cannot. */
  async start(contender: Contender, job: Job): Promise<Running> {
    const setting = await this.settingOf(contender, job);
    const command = contender.prepare(setting);
    const process = new PinnedProcess(command, proxyCores(job.workers), `${setting.folder}/log`);
    try {
      await process.waitUntil(() => contender.isReady(setting));
    } catch (error) {
      await process.stop();
      throw error;
    }
    return { contender, setting, process };
  }

  get certificate(): Certificate {
    this.#certificate ??= makeCertificate(this.folder);
    return this.#certificate;
  }

  /** Ends the origins and removes the folder. */
  async end(): Promise<void> {
    for (const { processes } of this.#origins.values()) {
      for (const process of processes) await process.stop();
    }
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** nginx's workers read and write there, as another user where the master is root. */
function makeSharedFolder(): string {
  const folder = Deno.makeTempDirSync({ prefix: "weft-bench-" });
  Deno.chmodSync(folder, 0o755);
  return folder;
}

function makeCertificate(folder: string): Certificate {
  const identity = `${folder}/identity`;
  const certificate = {
    chain: `${folder}/server.crt`,
    key: `${folder}/server.key`,
    identity,
  };
  runToEnd([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ...["-nodes", "-keyout", certificate.key, "-out", certificate.chain, "-days", "2"],
    ...["-subj", "/CN=weft", "-addext"],
    `subjectAltName=DNS:${PROXY_HOST},URI:spiffe://cluster.local/ns/httpbin/sa/default`,
  ]);
  Deno.mkdirSync(identity);
  for (const name of ["tls.crt", "ca.crt"]) {
    Deno.copyFileSync(certificate.chain, `${identity}/${name}`);
  }
  Deno.copyFileSync(certificate.key, `${identity}/tls.key`);
  return certificate;
}
