/** The command line of `deno task bench`. */

export interface Options {
  /** Of each load in each round. */
  readonly seconds: number;
  readonly rounds: number;
  /** Parts of contenders' names, in lower case; empty: all of them. */
  readonly only: readonly string[];
  /** Workloads' names; empty: all of them. */
  readonly workloads: readonly string[];
  /** Path of an earlier executable of Weft that is measured beside this one; null: none. */
  readonly before: string | null;
}

/** What a run whose numbers are kept takes at least. */
const KEPT = { seconds: 3, rounds: 3 };

const COUNT_MAX = 60;

/** @param names of all workloads. @throws {Error} with one line for the person who typed it */
export function parseOptions(args: readonly string[], names: readonly string[]): Options {
  const options = {
    ...KEPT,
    only: [] as string[],
    workloads: [] as string[],
    before: null as string | null,
  };
  const rest = [...args];
  let hasMicro = true;
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    if (flag === "--no-micro") {
      hasMicro = false;
      continue;
    }
    const value = rest.shift();
    if (value === undefined) throw new Error(`${flag} wants a value, or is not an option`);
    if (flag === "--seconds") options.seconds = parseCount(flag, value);
    else if (flag === "--rounds") options.rounds = parseCount(flag, value);
    else if (flag === "--only") options.only.push(...value.toLowerCase().split(","));
    else if (flag === "--before") options.before = value;
    else if (flag === "--workload") options.workloads.push(...value.toLowerCase().split(","));
    else throw new Error(`Unknown option "${flag}"`);
  }
  const unknown = options.workloads.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Error(`There is no workload "${unknown}": want some of ${names.join(", ")}`);
  }
  if (hasMicro) return options;
  const chosen = options.workloads.length > 0 ? options.workloads : names;
  return { ...options, workloads: chosen.filter((name) => name !== "micro") };
}

function parseCount(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= COUNT_MAX) return count;
  throw new Error(`${flag} takes a whole number from 1 to ${COUNT_MAX}`);
}

/** Whether the numbers may stand in RESULTS.md: those of some contenders, or hasty ones, must not pass for them. */
export function isForResults({ seconds, rounds, only, before }: Options): boolean {
  const isWhole = only.length === 0 && before === null;
  return isWhole && seconds >= KEPT.seconds && rounds >= KEPT.rounds;
}
