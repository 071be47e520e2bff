/** `weft proxy` in a process of its own, in front of an application that names method and path, and echoes what it is sent. */
import { encodePlan } from "../../routing/plan_codec.ts";
import { type Driver, planOf } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { testCertificates } from "./certificates.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

export class ProxyProcess {
  readonly #child: Deno.ChildProcess;
  readonly #application: Worker;
  readonly #folder: string;
  readonly #printed: Promise<void>;
  #log: string;
  readonly port: number;
  readonly #admin: string;

  private constructor(
    child: Deno.ChildProcess,
    application: Worker,
    folder: string,
    started: { log: string; printed: Promise<void> },
  ) {
    this.#child = child;
    this.#application = application;
    this.#folder = folder;
    this.#printed = started.printed;
    this.#log = started.log;
    const line = started.log.split("\n").find((text) => text.includes("Proxy started")) ?? "";
    const { inbound, admin } = JSON.parse(line);
    this.port = Number(inbound.split(":")[1]);
    this.#admin = admin;
  }

  /** Its inbound listener speaks TLS; `more` are further options. */
  static async start(driver: Driver, more: readonly string[] = []): Promise<ProxyProcess> {
    const application = new Worker(new URL("./application_worker.ts", import.meta.url), {
      type: "module",
    });
    const applicationPort = await new Promise<number>((resolve) => {
      application.onmessage = ({ data }) => resolve(data);
    });
    const folder = Deno.makeTempDirSync({ prefix: "weft-tls-proxy-" });
    Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([])));
    const { server } = testCertificates();
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "-A", MAIN, "proxy"],
        ...["--plan", `${folder}/plan.json`, "--driver", driver, "--admin", "127.0.0.1:0"],
        ...["--outbound", "127.0.0.1:0", "--inbound", "127.0.0.1:0"],
        ...["--app", `127.0.0.1:${applicationPort}`],
        ...["--inbound-tls-cert", server.chainFile, "--inbound-tls-key", server.keyFile, ...more],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const started = { log: "", printed: Promise.resolve() };
    started.printed = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
        started.log += text;
      }
    })();
    await until("the proxy started", () => started.log, (log) => log.includes("Proxy started"));
    return new ProxyProcess(child, application, folder, started);
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://${this.#admin}/metrics`)).text();
  }

  /** Waits for a line of the metrics. */
  async untilMetric(line: string): Promise<void> {
    const [name] = line.split(/[{ ]/);
    const look = async () =>
      (await this.metrics()).split("\n").filter((some) => some.startsWith(name));
    await until(line, look, (lines) => lines.includes(line));
  }

  /** Ends it; it must have lived until now, without a fault. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      const metrics = await this.metrics();
      if (!/^weft_faults_total 0$/m.test(metrics)) throw new Error(`A fault: ${this.#log}`);
    } finally {
      this.#child.kill("SIGKILL");
      await this.#child.status;
      await this.#printed;
      this.#application.terminate();
      Deno.removeSync(this.#folder, { recursive: true });
    }
  }
}
