/** What examples/ has for Prometheus, Grafana, Flagger and Argo Rollouts asks for metrics that there are, in queries that a real Prometheus takes. */
import assert from "node:assert/strict";
import type { MetricGroup } from "../../base/metrics.ts";
import { CONTROLLER_METRICS } from "../../controller/metrics.ts";
import { PROXY_METRICS } from "../../proxy/observe/metrics.ts";
import { ROOT } from "../../tools/repository.ts";
import { runCommand } from "../support/commands.ts";
import { DASHBOARD_TEXT, PANELS, VARIABLES } from "./dashboard.ts";
import { exampleQueries, RULES } from "./example_queries.ts";
import { HAS_PROMETHEUS, Prometheus } from "./prometheus.ts";

const NEEDS = HAS_PROMETHEUS ? "" : ": needs prometheus and promtool";

Deno.test("examples: queries ask for metrics and labels that are declared", () => {
  const groups: readonly MetricGroup[] = [...PROXY_METRICS, ...CONTROLLER_METRICS];
  const declared = new Set(
    groups.flatMap(({ metrics }) =>
      Object.values(metrics).map(({ name, kind }) => kind === "histogram" ? `${name}_bucket` : name)
    ),
  );
  const all = exampleQueries();
  assert.ok(all.length >= 30, String(all.length));
  for (const { name, text: query } of all) {
    const asked = query.match(/(?<![:\w])(?:weft|osm)_\w+/g) ?? [];
    const isOfRules = /\w+:(?:weft|osm)_\w+:\w+/.test(query);
    assert.ok(asked.length > 0 || isOfRules, name);
    for (const metric of asked) assert.ok(declared.has(metric), `${name}: ${metric}`);
  }
});

/** A dashboard as Grafana's own package of its schema has it; the members of its enumerations are written as the JSON that they are. */
const SCHEMA = `
import type { Dashboard, DataQuery, Panel, RowPanel } from "@grafana/schema";
import type {
  FieldConfig,
  Options,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type Written<T> = T extends string ? \`\${T}\`
  : T extends number ? (number extends T ? T : \`\${T}\` extends \`\${infer N extends number}\` ? N : never)
  : T extends object ? { [K in keyof T]: Written<T[K]> }
  : T;
interface Series extends Omit<Panel<Options, FieldConfig>, "type" | "options" | "targets"> {
  type: "timeseries";
  options: Options;
  targets: (DataQuery & { expr: string; legendFormat: string })[];
}
type OfSeries = Omit<Dashboard, "panels"> & { panels: (Series | RowPanel)[] };
export const dashboard: Written<OfSeries> = `;

/** What the type checker has to say about a dashboard. */
async function schemaSays(dashboard: string): Promise<string> {
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  try {
    Deno.writeTextFileSync(file, `${SCHEMA}${dashboard};\n`);
    const config = new URL("deno.json", ROOT).pathname;
    const { code, stderr } = await runCommand(Deno.execPath(), ["check", "--config", config, file]);
    return code === 0 ? "" : stderr;
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("examples: the dashboard is one by Grafana's schema", async () => {
  assert.equal(await schemaSays(DASHBOARD_TEXT), "");
  const wrong = { '"multi":': '"many":', '"placement": "bottom"': '"placement": "below"' };
  const said = await schemaSays(
    Object.entries(wrong).reduce((text, [from, to]) => text.replace(from, to), DASHBOARD_TEXT),
  );
  for (const fault of [/"many"/, /"below"/]) assert.match(said, fault);
});

Deno.test("examples: what panels are asked of is chosen by a variable of the dashboard", () => {
  const source = VARIABLES.find(({ type }) => type === "datasource");
  assert.deepEqual([source?.name, source?.query], ["datasource", "prometheus"]);
  for (const { title, type, datasource, targets = [] } of PANELS) {
    assert.equal(targets.length > 0, type !== "row", title);
    for (const each of targets.map((target) => target.datasource).concat(datasource ?? [])) {
      assert.deepEqual(each, { type: "prometheus", uid: "${datasource}" }, title);
    }
  }
});

Deno.test("examples: panels of the dashboard do not lie on each other", () => {
  assert.equal(new Set(PANELS.map(({ id }) => id)).size, PANELS.length);
  const taken = new Set<string>();
  for (const { title, gridPos: { x, y, w, h } } of PANELS) {
    assert.ok(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert.ok(!taken.has(`${column} ${row}`), title);
        taken.add(`${column} ${row}`);
      }
    }
  }
});

Deno.test({
  name: `examples: rules and alerts do what promtool is told to expect of them${NEEDS}`,
  ignore: !HAS_PROMETHEUS,
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      Deno.copyFileSync(new URL(RULES, ROOT), `${folder}/rules.yml`);
      const tests = `${folder}/tests.yml`;
      Deno.copyFileSync(new URL("tests/prometheus/rules_for_test.yml", ROOT), tests);
      for (const args of [["check", "rules", `${folder}/rules.yml`], ["test", "rules", tests]]) {
        const { code, stdout, stderr } = await runCommand("promtool", args);
        assert.equal(code, 0, stdout + stderr);
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: `examples: Prometheus takes every query${NEEDS}`,
  ignore: !HAS_PROMETHEUS,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => new Response("x 1\n", { headers: { "content-type": "text/plain; version=0.0.4" } }),
    );
    await using prometheus = await Prometheus.start(`127.0.0.1:${server.addr.port}`);
    for (const { text } of exampleQueries()) await prometheus.query(text);
  },
});
