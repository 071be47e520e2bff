/** The queries of examples/: of the dashboard, of rules and alerts, and of what Flagger and Argo Rollouts judge by. */
import { parseAllDocuments } from "yaml";
import { readFile } from "../../tools/repository.ts";
import { panelQueries } from "./dashboard.ts";

export const RULES = "examples/prometheus/rules.yml";

interface ExampleQuery {
  /** Where it stands. */
  readonly name: string;
  readonly text: string;
  /** Whether it has an answer only where something is wrong. */
  readonly isAlert: boolean;
}

/** What is filled in when it is asked is filled in: `{{ args.split }}` by `split`, and by `x` where nothing is said. */
export function exampleQueries(values: Readonly<Record<string, string>> = {}): ExampleQuery[] {
  const filled = (text: string) =>
    text.replace(
      /\{\{ ?(?:args\.)?(\w+) ?\}\}/g,
      (_, name) => values[name] ?? (name === "interval" ? "1m" : "x"),
    );
  const found: ExampleQuery[] = [];
  const add = (name: string, text: string, isAlert = false) =>
    found.push({ name, text: filled(text), isAlert });
  // Its value for all of them.
  for (const { name, text } of panelQueries({ split: ".+" })) add(name, text);
  for (const path of ["flagger/metric_templates.yaml", "argo_rollouts/analysis_templates.yaml"]) {
    for (const document of parseAllDocuments(readFile(`examples/${path}`))) {
      const { metadata: { name }, spec } = document.toJS();
      if (spec.query !== undefined) add(`${path} ${name}`, spec.query);
      for (const { provider } of spec.metrics ?? []) {
        if (provider.prometheus !== undefined) add(`${path} ${name}`, provider.prometheus.query);
      }
    }
  }
  for (const { rules } of parseAllDocuments(readFile(RULES))[0].toJS().groups) {
    for (const { record, alert, expr } of rules) add(record ?? alert, expr, alert !== undefined);
  }
  return found;
}
