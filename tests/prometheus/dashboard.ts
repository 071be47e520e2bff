/** The dashboard of examples/, with its variables filled in as Grafana does. */
import { readFile } from "../../tools/repository.ts";

interface DataSource {
  readonly type: string;
  readonly uid: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly datasource?: DataSource;
  readonly targets?: readonly {
    readonly refId: string;
    readonly datasource: DataSource;
    readonly expr: string;
    readonly legendFormat: string;
  }[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
}

export const DASHBOARD_TEXT = readFile("examples/prometheus/dashboard.json");

const { panels, templating } = JSON.parse(DASHBOARD_TEXT);

export const PANELS: readonly Panel[] = panels;
export const VARIABLES: readonly Variable[] = templating.list;

/** Grafana's own, which the width of a panel decides. */
const INTERVAL = "__rate_interval";

/** What fills a place for many values in. */
export function chosen(values: readonly string[]): string {
  return `(${values.map((value) => value.replace(/[\\^$*+?.()|{}[\]]/g, "\\\\$&")).join("|")})`;
}

/** @param values of the dashboard's variables; one that is missing is a fault of the dashboard */
export function panelQueries(
  values: Readonly<Record<string, string>>,
): { readonly name: string; readonly text: string }[] {
  const all: Readonly<Record<string, string>> = { [INTERVAL]: "1m", ...values };
  return PANELS.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({
      name: `${title} ${refId}`,
      text: expr.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, plain) => {
        const value = all[braced ?? plain];
        if (value === undefined) {
          throw new Error(`${title} ${refId}: no variable ${braced ?? plain}`);
        }
        return value;
      }),
    }))
  );
}
