/** A metric in the Prometheus text format (exposition format 0.0.4), whatever it counts. */

export interface Series {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly lines: string[];
}

export function renderSeries({ name, kind, help, lines }: Series): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join("\n")}${
    lines.length > 0 ? "\n" : ""
  }`;
}

/** `service="app/web",port="80"`. */
export function labelText(labels: Readonly<Record<string, string | number>>): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
    .join(",");
}

export function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
