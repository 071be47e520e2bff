/** Traffic of the running mesh by edge: ribbons as wide as their share, and the numbers in a table. */
import type { Edge } from "./traffic.ts";

const ROW = 44;
const WIDTH = 600;
const BAND_WIDEST = 30;

interface TrafficCardProps {
  readonly edges: readonly Edge[];
  /** Null: the mesh answers. */
  readonly problem: string | null;
}

export function TrafficCard({ edges, problem }: TrafficCardProps) {
  return (
    <section class="card traffic" aria-labelledby="traffic-title">
      <h2 id="traffic-title">
        Traffic <span class="count">of the mesh that runs here</span>
      </h2>
      {problem !== null && <p class="hint" role="status">{problem}</p>}
      {edges.length === 0
        ? <p class="hint">No request yet. Send one through a sidecar of `weft up`.</p>
        : (
          <>
            <Ribbons edges={edges} />
            <EdgeTable edges={edges} />
          </>
        )}
    </section>
  );
}

function Ribbons({ edges }: { readonly edges: readonly Edge[] }) {
  const sources = [...new Set(edges.map(({ from }) => from))];
  const targets = [...new Set(edges.map(({ to }) => to))];
  const height = Math.max(sources.length, targets.length) * ROW + 8;
  const busiest = Math.max(...edges.map(({ requests }) => requests));
  const at = (names: readonly string[], name: string) =>
    (names.indexOf(name) + 0.5) * (height / names.length);
  return (
    <svg
      class="ribbons"
      viewBox={`0 0 ${WIDTH} ${height}`}
      role="img"
      aria-label="Callers on the left, who answers on the right; the table below has the numbers"
    >
      {edges.map((edge) => {
        const y1 = at(sources, edge.from);
        const y2 = at(targets, edge.to);
        return (
          <path
            key={`${edge.from} ${edge.to}`}
            class={`ribbon c${targets.indexOf(edge.to) % 6}${edge.rate > 0 ? " busy" : ""}`}
            style={{ strokeWidth: `${2 + BAND_WIDEST * edge.requests / busiest}px` }}
            d={`M168,${y1} C300,${y1} 300,${y2} 432,${y2}`}
          />
        );
      })}
      {sources.map((name) => <Node key={name} name={name} x={160} y={at(sources, name)} isLeft />)}
      {targets.map((name) => <Node key={name} name={name} x={440} y={at(targets, name)} />)}
    </svg>
  );
}

interface NodeProps {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly isLeft?: boolean;
}

function Node({ name, x, y, isLeft = false }: NodeProps) {
  const short = name.length > 22 ? `${name.slice(0, 21)}…` : name;
  return (
    <text x={x} y={y + 4} text-anchor={isLeft ? "end" : "start"}>
      <title>{name}</title>
      {short}
    </text>
  );
}

function EdgeTable({ edges }: { readonly edges: readonly Edge[] }) {
  return (
    <div class="rows" role="region" aria-label="Traffic by edge" tabIndex={0}>
      <table class="shares">
        <thead>
          <tr>
            <th scope="col">caller</th>
            <th scope="col">answered by</th>
            <th scope="col" class="number">requests</th>
            <th scope="col" class="number">a second</th>
            <th scope="col" class="number">5xx</th>
          </tr>
        </thead>
        <tbody>
          {edges.map(({ from, to, requests, rate, failures }) => (
            <tr key={`${from} ${to}`}>
              <th scope="row">{from}</th>
              <td>{to}</td>
              <td class="number">{requests}</td>
              <td class="number strong">{rate.toFixed(1)}</td>
              <td class={`number${failures > 0 ? " error" : ""}`}>{failures}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
