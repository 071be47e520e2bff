/** SoakProxy: the proxy's process seen from the soak: its ports, its plans, and what it holds of the system. */
import type { Plan } from "../../routing/plan.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import { until } from "../support/until.ts";
import type { ProxyArguments, ProxyPorts } from "./proxy_main.ts";

export class SoakProxy {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: AsyncGenerator<string, void>;
  readonly ports: ProxyPorts;

  private constructor(
    child: Deno.ChildProcess,
    lines: AsyncGenerator<string, void>,
    ports: ProxyPorts,
  ) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#lines = lines;
    this.ports = ports;
  }

  static async start(options: Omit<ProxyArguments, "plan">, plan: Plan): Promise<SoakProxy> {
    const script = new URL("./proxy_main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "-A", "--v8-flags=--expose-gc"],
        decodeURIComponent(script),
        JSON.stringify({ ...options, plan: encodePlan(plan) }),
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = linesOf(child.stdout);
    const { value } = await lines.next();
    if (value === undefined) throw new Error("The proxy did not start");
    return new SoakProxy(child, lines, JSON.parse(value));
  }

  /** Resolves once it is served. */
  async apply(plan: Plan): Promise<void> {
    await this.#ask(encodePlan(plan));
  }

  /** Bytes in use once all garbage is collected. */
  async bytesInUse(): Promise<number> {
    return Number(await this.#ask("memory"));
  }

  /** @throws {Error} the proxy is gone */
  async #ask(line: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error("The proxy is gone");
    return value;
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
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  }

  /** Open ones, without the pairs of local sockets that the runtime makes for itself when it likes. */
  descriptors(): number {
    const local = new Set(
      Deno.readTextFileSync("/proc/net/unix").split("\n").map((line) => line.split(/\s+/)[6]),
    );
    const folder = `/proc/${this.#child.pid}/fd`;
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
  async stop(): Promise<number> {
    await this.#writer.close();
    await this.#lines.return();
    return (await this.#child.status).code;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
