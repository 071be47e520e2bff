/** Prometheus itself, scraping one target, and its `promtool`: what really reads our metrics. */
import assert from "node:assert/strict";
import { hasCommand, runCommand } from "../support/commands.ts";
import { until } from "../support/until.ts";
import { freePort } from "../support/free_port.ts";

/** True where both are there to be run. */
export const HAS_PROMETHEUS = ["prometheus", "promtool"].every(hasCommand);

/** What `promtool check metrics` has to say about a text; empty: nothing. */
export async function promtoolSays(text: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand("promtool", ["check", "metrics"], text);
  const said = stdout + stderr;
  return code === 0 ? said : `exit ${code}: ${said}`;
}

export class Prometheus {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: Deno.ChildProcess, folder: string, url: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = url;
  }

  /** Scrapes `/metrics` of an address four times a second. */
  static async start(target: string): Promise<Prometheus> {
    const folder = Deno.makeTempDirSync({ prefix: "weft-prometheus-" });
    Deno.writeTextFileSync(
      `${folder}/prometheus.yml`,
      JSON.stringify({
        global: { scrape_interval: "250ms", scrape_timeout: "250ms" },
        scrape_configs: [{ job_name: "weft", static_configs: [{ targets: [target] }] }],
      }),
    );
    const port = freePort();
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--enable-feature=exemplar-storage",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const prometheus = new Prometheus(child, folder, `http://127.0.0.1:${port}`);
    await until("Prometheus", () => prometheus.query("up"), (value) => value === 1);
    return prometheus;
  }

  /** The one number that a query comes to; null: it has no result yet, or none that is a number. */
  async query(text: string): Promise<number | null> {
    let response: Response;
    try {
      response = await fetch(`${this.#url}/api/v1/query?${new URLSearchParams({ query: text })}`);
    } catch {
      return null;
    }
    const body = await response.text();
    if (response.status === 503) return null;
    assert.equal(response.status, 200, body);
    const { data: { result } } = JSON.parse(body);
    assert.ok(result.length <= 1, `${text}: ${result.length} results`);
    const value = Number(result[0]?.value[1] ?? NaN);
    return Number.isFinite(value) ? value : null;
  }

  /** The traces that exemplars of a series name. */
  async exemplars(series: string): Promise<string[]> {
    const parameters = new URLSearchParams({ query: series, start: "0", end: "9999999999" });
    const response = await fetch(`${this.#url}/api/v1/query_exemplars?${parameters}`);
    const { data } = await response.json();
    return data.flatMap(({ exemplars }: { exemplars: { labels: { trace_id: string } }[] }) =>
      exemplars.map(({ labels }) => labels.trace_id)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
