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

  /** Scrapes `/metrics` of addresses four times a second. */
  static async start(...targets: readonly string[]): Promise<Prometheus> {
    const folder = Deno.makeTempDirSync({ prefix: "weft-prometheus-" });
    Deno.writeTextFileSync(
      `${folder}/prometheus.yml`,
      JSON.stringify({
        global: { scrape_interval: "250ms", scrape_timeout: "250ms" },
        scrape_configs: [{ job_name: "weft", static_configs: [{ targets }] }],
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
    await until("Prometheus", () => prometheus.query("min(up)"), (value) => value === 1);
    return prometheus;
  }

  /** The one number that a query comes to; null: it has no result yet, or none that is a number. */
  async query(text: string): Promise<number | null> {
    const results = await this.results(text);
    assert.ok(results.length <= 1, `${text}: ${results.length} results`);
    return results.find(({ value }) => Number.isFinite(value))?.value ?? null;
  }

  /** All that a query comes to now; none: it has no result yet. */
  async results(
    text: string,
  ): Promise<{ readonly labels: Readonly<Record<string, string>>; readonly value: number }[]> {
    const data = await this.#get("query", { query: text });
    const results: { metric: Record<string, string>; value: [number, string] }[] = data?.result ??
      [];
    return results.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** The values of a label among the series that match. */
  async labelValues(label: string, match: string): Promise<string[]> {
    return await this.#get(`label/${label}/values`, { "match[]": match }) ?? [];
  }

  /** null: it is not up yet. */
  async #get(path: string, parameters: Readonly<Record<string, string>>) {
    let response: Response;
    try {
      response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    } catch {
      return null;
    }
    const body = await response.text();
    if (response.status === 503) return null;
    assert.equal(response.status, 200, body);
    return JSON.parse(body).data;
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
