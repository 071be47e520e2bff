/** SoakProxy: the proxy's process seen from the soak: its ports, its plans, and what it holds of the system. */
import type { Plan } from "../../routing/plan.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import { LineProcess } from "../support/line_process.ts";
import { until } from "../support/until.ts";
import type { ProxyArguments, ProxyPorts } from "./proxy_main.ts";

export class SoakProxy {
  readonly #process: LineProcess;
  readonly ports: ProxyPorts;

  private constructor(process: LineProcess, ports: ProxyPorts) {
    this.#process = process;
    this.ports = ports;
  }

  static async start(options: Omit<ProxyArguments, "plan">, plan: Plan): Promise<SoakProxy> {
    const script = decodeURIComponent(new URL("./proxy_main.ts", import.meta.url).pathname);
    const process = new LineProcess(script, [
      JSON.stringify({ ...options, plan: encodePlan(plan) }),
    ]);
    return new SoakProxy(process, JSON.parse(await process.nextLine()));
  }

  /** The mesh is this from now on. Resolves before the proxy has heard of it. */
  async change(plan: Plan): Promise<void> {
    await this.#process.ask(encodePlan(plan));
  }

  /** Resolves once it has what it uses of the mesh. */
  async settle(): Promise<void> {
    await this.#process.ask("settle");
  }

  /** The longest that a request has waited for what the source says, in milliseconds. */
  async longestWaitMs(): Promise<number> {
    return Number(await this.#process.ask("waited"));
  }

  /** How often the source was lost. */
  async losses(): Promise<number> {
    return Number(await this.#process.ask("losses"));
  }

  /** Bytes in use once all garbage is collected. */
  async bytesInUse(): Promise<number> {
    return Number(await this.#process.ask("memory"));
  }

  /** The sum of all series of a metric. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.ports.admin}/metrics`);
    const lines = (await response.text()).split("\n").filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  async untilMetric(name: string, wanted: number): Promise<void> {
    await until(name, () => this.metric(name), (value) => value === wanted);
  }

  /** Bytes of memory that are resident and of no file. */
  residentBytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#process.pid}/status`);
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  }

  /** Open ones, without the pairs of local sockets that the runtime makes for itself when it likes. */
  descriptors(): number {
    const local = new Set(
      Deno.readTextFileSync("/proc/net/unix").split("\n").map((line) => line.split(/\s+/)[6]),
    );
    const folder = `/proc/${this.#process.pid}/fd`;
    let count = 0;
    for (const { name } of Deno.readDirSync(folder)) {
      let target = "";
      try {
        target = Deno.readLinkSync(`${folder}/${name}`);
      } catch {
        // Closed a moment ago.
        continue;
      }
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode === undefined || !local.has(inode)) count++;
    }
    return count;
  }

  /** Ends it; its exit code. */
  stop(): Promise<number> {
    return this.#process.stop();
  }
}
