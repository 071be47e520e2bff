/** LargeMesh: a mesh of many Services on this machine: its source of plans, its endpoints, and sidecars that ask it. */
import { beside, compileC, runToEnd } from "../contenders/files.ts";
import { WEFTS } from "../contenders/weft.ts";
import { acceptsConnections, PinnedProcess, requireInstalled } from "../process.ts";
import { LOAD_CORES, proxyCores, type Session } from "../session.ts";
import { LineProcess } from "../../tests/support/line_process.ts";
import type { ChangeCosts, SourceArguments, SourceStart } from "./source_main.ts";
import { freePort } from "../../tests/support/free_port.ts";

/** Two that an application calls are in one split. */
export const hostOf = (service: number) => `service-${service}.shop`;

export class LargeMesh {
  readonly #folder: string;
  readonly #source: LineProcess;
  readonly #endpoints: PinnedProcess;
  readonly start: SourceStart;
  #sidecars = 0;

  private constructor(
    folder: string,
    source: LineProcess,
    endpoints: PinnedProcess,
    start: SourceStart,
  ) {
    this.#folder = folder;
    this.#source = source;
    this.#endpoints = endpoints;
    this.start = start;
  }

  static async start(session: Session, services: number): Promise<LargeMesh> {
    requireInstalled("gcc");
    const folder = `${session.folder}/mesh-${services}`;
    Deno.mkdirSync(folder);
    const [certFile, keyFile] = [`${folder}/source.crt`, `${folder}/source.key`];
    runToEnd([
      ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ...["-nodes", "-keyout", keyFile, "-out", certFile, "-days", "2"],
      ...["-subj", "/CN=source", "-addext", "subjectAltName=IP:127.0.0.1"],
      // Who vouches for itself is no authority for others.
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ]);
    Deno.writeTextFileSync(`${folder}/token`, "none");
    const endpointPort = freePort();
    const program = compileC(beside(import.meta.url, "../load/answers.c"), folder);
    const endpoints = new PinnedProcess(
      [program, String(endpointPort)],
      LOAD_CORES,
      `${folder}/endpoints-log`,
    );
    await endpoints.waitUntil(() => acceptsConnections(endpointPort));
    const given: SourceArguments = { services, endpointPort, certFile, keyFile };
    const script = beside(import.meta.url, "./source_main.ts");
    const pin = ["taskset", "-c", LOAD_CORES];
    const source = new LineProcess(script, [JSON.stringify(given)], pin);
    return new LargeMesh(folder, source, endpoints, JSON.parse(await source.nextLine()));
  }

  /** Changes that are made and told to two sessions alone, in the source's own process. */
  async costs(of: "address" | "weight"): Promise<ChangeCosts> {
    return JSON.parse(await this.#source.ask(`${of}-costs`));
  }

  /** Resolves once proxies are being told. */
  async change(what: "address" | "weight", number: number): Promise<void> {
    await this.#source.ask(`${what} ${number}`);
  }

  async writePlan(): Promise<string> {
    const path = `${this.#folder}/plan.json`;
    await this.#source.ask(`plan ${path}`);
    return path;
  }

  /** @param plan path of a plan file; left out: it asks the source */
  async sidecar(plan?: string): Promise<SidecarProcess> {
    const folder = this.#folder;
    const controller = ["--controller", `127.0.0.1:${this.start.port}`]
      .concat("--controller-ca", `${folder}/source.crt`, "--controller-token", `${folder}/token`);
    const origin = plan === undefined ? controller : ["--plan", plan];
    return await SidecarProcess.start(origin, `${folder}/sidecar-${this.#sidecars++}.log`);
  }

  async stop(): Promise<void> {
    await this.#source.stop();
    await this.#endpoints.stop();
  }
}

/** A sidecar on a core of its own. */
export class SidecarProcess {
  readonly port: number;
  readonly adminPort: number;
  readonly process: PinnedProcess;

  private constructor(port: number, adminPort: number, process: PinnedProcess) {
    this.port = port;
    this.adminPort = adminPort;
    this.process = process;
  }

  static async start(origin: readonly string[], logPath: string): Promise<SidecarProcess> {
    const [port, adminPort] = [freePort(), freePort()];
    const process = new PinnedProcess(
      [
        ...[...WEFTS[0].command, "proxy", ...origin, "--accept-timeout", "none"],
        ...["--outbound", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${adminPort}`],
      ],
      proxyCores(1),
      logPath,
    );
    const sidecar = new SidecarProcess(port, adminPort, process);
    try {
      await process.waitUntil(() => sidecar.isReady());
    } catch (error) {
      await process.stop();
      throw error;
    }
    return sidecar;
  }

  async isReady(): Promise<boolean> {
    return await this.admin("/readyz").then(({ ok }) => ok, () => false);
  }

  async admin(path: string): Promise<{ readonly ok: boolean; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.adminPort}${path}`);
    return { ok: response.ok, text: await response.text() };
  }
}

/** A connection to a sidecar over which one request follows the other. */
export class SidecarClient {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(4_096);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open({ port }: SidecarProcess): Promise<SidecarClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new SidecarClient(connection);
  }

  /** Milliseconds until its answer, which is small and comes in one piece. @throws {Error} another answer than 200 */
  async ask(service: number): Promise<number> {
    const text = `GET / HTTP/1.1\r\nHost: ${hostOf(service)}\r\n\r\n`;
    const startMs = performance.now();
    await this.#connection.write(new TextEncoder().encode(text));
    const count = await this.#connection.read(this.#buffer);
    const tookMs = performance.now() - startMs;
    const answer = new TextDecoder().decode(this.#buffer.subarray(0, count ?? 0));
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`answered ${answer.split("\r\n")[0]}`);
    return tookMs;
  }

  close(): void {
    this.#connection.close();
  }
}
