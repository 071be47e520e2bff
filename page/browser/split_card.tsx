/** The split as a picture: who takes each of the next requests, and how soon the shares are what the weights ask for. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { PICTURE_REQUESTS_MAX, PLAY_MS, PLAY_STEP_MS } from "../limits.ts";
import { type PictureData, takenOf } from "./series.ts";

/** So many colours are told apart; more begin again. */
const COLOURS = 6;

interface SplitCardProps {
  readonly picture: PictureData | null;
  readonly count: number;
  readonly onCount: (count: number) => void;
}

export function SplitCard({ picture, count, onCount }: SplitCardProps) {
  const { shown, isPlaying, play } = usePlayed(count);
  return (
    <section class="card split" aria-labelledby="split-title">
      <h2 id="split-title">The next requests like this one</h2>
      {picture === null
        ? <p class="hint">None is forwarded, so there is nothing to share out.</p>
        : (
          <>
            <div class="controls">
              <button type="button" onClick={play} aria-pressed={isPlaying}>
                {isPlaying ? "Stop" : "Play"}
              </button>
              <label>
                <span>Requests</span>
                <input
                  type="range"
                  min={1}
                  max={PICTURE_REQUESTS_MAX}
                  value={count}
                  onInput={(event) => onCount(Number(event.currentTarget.value))}
                />
              </label>
              <output>{shown}</output>
            </div>
            <SequenceRow picture={picture} shown={shown} />
            {picture.series.length > 1 && (
              <ShareChart picture={picture} shown={shown} count={count} />
            )}
            <ShareTable picture={picture} shown={shown} />
          </>
        )}
    </section>
  );
}

/** How many requests of the picture have been sent; all, unless it is being played. */
function usePlayed(count: number) {
  const [sent, setSent] = useState<number | null>(null);
  useEffect(() => {
    if (sent === null) return;
    if (sent >= count) return setSent(null);
    const step = Math.max(1, Math.round((count * PLAY_STEP_MS) / PLAY_MS));
    const timer = setTimeout(() => setSent(Math.min(count, sent + step)), PLAY_STEP_MS);
    return () => clearTimeout(timer);
  }, [sent, count]);
  const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    shown: Math.min(count, sent ?? count),
    isPlaying: sent !== null,
    play: () => setSent(sent !== null || isStill() ? null : 1),
  };
}

/** The width of an element, as it changes. */
function useWidth() {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const box = element.current;
    if (box === null) return;
    const observer = new ResizeObserver(() => setWidth(box.clientWidth));
    observer.observe(box);
    setWidth(box.clientWidth);
    return () => observer.disconnect();
  }, []);
  return [element, width] as const;
}

function letterOf(index: number): string {
  return String.fromCharCode(65 + index % 26);
}

interface PictureProps {
  readonly picture: PictureData;
  readonly shown: number;
}

/** In CSS pixels. */
const CELL_PITCH = 23;
const CELL_WIDEST = 36;

/** Whole repetitions of the sequence, and rows of one length, where they fit. */
function cellsPerRow(width: number, count: number, period: number): number {
  const fitting = Math.max(1, Math.floor(width / CELL_PITCH));
  if (count <= fitting) return count;
  const step = period > 1 && period <= fitting ? period : 1;
  const whole = fitting - fitting % step;
  for (let cells = whole; cells >= whole / 2; cells -= step) if (count % cells === 0) return cells;
  return whole;
}

/** One cell a request. Rows hold whole repetitions of the sequence where they can, so that it shows as a pattern. */
function SequenceRow({ picture, shown }: PictureProps) {
  const [element, width] = useWidth();
  const { taken, period, series } = picture;
  const perRow = cellsPerRow(width, taken.length, period);
  const pitch = Math.min(CELL_WIDEST, width / perRow);
  const height = Math.ceil(taken.length / perRow) * CELL_PITCH;
  const first = taken.slice(0, 12).map((index) => index === -1 ? "refused" : series[index].name);
  return (
    <div ref={element}>
      <svg
        width={width}
        height={height}
        role="img"
        aria-label={`Who takes each of the next ${taken.length} requests. The first: ${
          first.join(", ")
        }`}
      >
        {taken.map((index, at) => {
          const isSent = at < shown;
          const x = at % perRow * pitch;
          const y = Math.floor(at / perRow) * CELL_PITCH;
          return (
            <g key={at} class={`cell c${index % COLOURS}${isSent ? "" : " waiting"}`}>
              <rect x={x} y={y} width={pitch - 3} height={CELL_PITCH - 3} rx={4} />
              <text x={x + (pitch - 3) / 2} y={y + 14.5} text-anchor="middle">
                {index === -1 ? "×" : letterOf(index)}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

const CHART = { height: 168, left: 38, right: 10, top: 10, bottom: 24 };

/** The share of each series after 1, 2, 3 … requests, and dashed the one that it is to have. */
function ShareChart({ picture, shown, count }: PictureProps & { readonly count: number }) {
  const [element, width] = useWidth();
  const { series, taken } = picture;
  const innerWidth = Math.max(1, width - CHART.left - CHART.right);
  const innerHeight = CHART.height - CHART.top - CHART.bottom;
  const x = (sent: number) =>
    CHART.left + (count === 1 ? 1 : (sent - 1) / (count - 1)) * innerWidth;
  const y = (share: number) => CHART.top + (1 - share) * innerHeight;
  const paths = series.map((_, index) => {
    let hits = 0;
    return taken.slice(0, shown).map((each, at) => {
      if (each === index) hits++;
      return `${at === 0 ? "M" : "L"}${x(at + 1).toFixed(1)},${y(hits / (at + 1)).toFixed(1)}`;
    }).join("");
  });
  return (
    <div ref={element} class="chart">
      <svg
        width={width}
        height={CHART.height}
        role="img"
        aria-label="The share of each after every request, against the share that its weight asks for; the table below has the numbers"
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <g key={share} class="grid">
            <line x1={CHART.left} x2={width - CHART.right} y1={y(share)} y2={y(share)} />
            <text x={CHART.left - 6} y={y(share) + 4} text-anchor="end">{share * 100}%</text>
          </g>
        ))}
        <text class="axis" x={CHART.left} y={CHART.height - 6}>1</text>
        <text class="axis" x={width - CHART.right} y={CHART.height - 6} text-anchor="end">
          {count} requests
        </text>
        {series.map(({ wanted }, index) => (
          <line
            key={index}
            class={`wanted c${index % COLOURS}`}
            x1={CHART.left}
            x2={width - CHART.right}
            y1={y(wanted)}
            y2={y(wanted)}
          />
        ))}
        {paths.map((path, index) => (
          <path key={index} class={`share c${index % COLOURS}`} d={path} />
        ))}
      </svg>
    </div>
  );
}

function ShareTable({ picture, shown }: PictureProps) {
  const counts = takenOf(picture, shown);
  const hasWeights = picture.series.some(({ weight }) => weight !== null);
  return (
    <div class="rows" role="region" aria-label="Shares" tabIndex={0}>
      <table class="shares">
        <thead>
          <tr>
            <th scope="col">{picture.of}</th>
            {hasWeights && <th scope="col" class="number">weight</th>}
            <th scope="col" class="number">wanted</th>
            <th scope="col" class="number">after {shown}</th>
            <th scope="col" class="number">requests</th>
          </tr>
        </thead>
        <tbody>
          {picture.series.map(({ name, weight, wanted }, index) => (
            <tr key={name}>
              <th scope="row">
                <span class={`swatch c${index % COLOURS}`} aria-hidden="true">
                  {letterOf(index)}
                </span>
                {name}
              </th>
              {hasWeights && <td class="number">{weight}</td>}
              <td class="number">{percent(wanted)}</td>
              <td class="number strong">{percent(counts[index] / shown)}</td>
              <td class="number">{counts[index]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}
