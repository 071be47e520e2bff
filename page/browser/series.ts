/** What a picture shows of a simulation: who takes which of the next requests, and how many each was to get. Pure. */
import type { Simulation } from "../../offline/simulate.ts";

/** A backend, or an endpoint where there is one backend only. */
interface Series {
  readonly name: string;
  /** As written; null: an endpoint has none. */
  readonly weight: number | null;
  /** The share that it is to get, 0 to 1. */
  readonly wanted: number;
}

export interface PictureData {
  readonly of: "backend" | "endpoint";
  readonly series: readonly Series[];
  /** For each request the number of its series; -1: refused. */
  readonly taken: readonly number[];
  /** The sequence repeats after so many; 0: not known. */
  readonly period: number;
}

/** Null: no request is forwarded. @param period of the split */
export function pictureOf(simulation: Simulation, period: number): PictureData | null {
  const { distribution, outcomes } = simulation;
  const [only] = distribution;
  if (only === undefined) return null;
  if (distribution.length > 1) {
    const names = distribution.map(({ backend }) => backend);
    return {
      of: "backend",
      series: distribution.map(({ backend, weight, expected }) => ({
        name: backend,
        weight,
        wanted: expected,
      })),
      taken: outcomes.map(({ backend }) => names.indexOf(backend ?? "")),
      period,
    };
  }
  const names = only.endpoints.map(({ endpoint }) => endpoint).sort();
  if (names.length === 0) return null;
  return {
    of: "endpoint",
    series: names.map((name) => ({ name, weight: null, wanted: 1 / names.length })),
    taken: outcomes.map(({ endpoint }) => names.indexOf(endpoint ?? "")),
    period: 0,
  };
}

/** How many of the first `count` requests each series took. */
export function takenOf({ series, taken }: PictureData, count: number): number[] {
  const counts = series.map(() => 0);
  for (const index of taken.slice(0, count)) if (index !== -1) counts[index]++;
  return counts;
}
