/** How far a split has come: what one replica knows of it, and what all of them come to. Plain data, and pure. */
import { SILENT_WAIT_MS } from "../limits.ts";

/**
 * `programmed`: it has the split in force as the mesh is now. `behind`: it is connected and has not said so yet. `silent`: it was lost
 * with another one in force. `unready`: as one of these two, but its pod is not ready, so nothing reaches it.
 */
export type ProxyState = "programmed" | "behind" | "silent" | "unready";

interface ProxyStanding {
  readonly state: ProxyState;
  /** For how long; 0 for `programmed`. */
  readonly forMs: number;
}

/** What one replica says. */
export interface ReplicaState {
  /** Of this run of it. */
  readonly replica: string;
  /** It has read, and compiled, the object with this uid in this generation. */
  readonly uid: string;
  readonly generation: number;
  /** Too short for all proxies to have come: those that are still to come are not known. */
  readonly isNew: boolean;
  readonly proxies: Readonly<Record<string, ProxyStanding>>;
}

/** The object as the API server has it. */
export interface LiveObject {
  readonly uid: string;
  readonly generation: number;
}

interface RolloutState {
  readonly isReady: boolean;
  /** In one line. */
  readonly reason: string;
  /** Proxies that have it in force, of those that use it and are reached. */
  readonly programmed: number;
  readonly proxies: number;
  /** Names of those that have it in force. */
  readonly users: readonly string[];
  /** Names of the others, with how long they have been so. */
  readonly others: Readonly<Record<Exclude<ProxyState, "programmed">, readonly string[]>>;
}

/** Which of two things that replicas say of one proxy counts: who holds its connection knows best. */
const RANKS: Readonly<Record<ProxyState, number>> = {
  programmed: 0,
  behind: 1,
  unready: 2,
  silent: 3,
};

/** @param missing replicas that did not answer */
export function rolloutState(
  live: LiveObject,
  replicas: readonly ReplicaState[],
  missing: number,
): RolloutState {
  const standings = merged(replicas);
  const named = (state: ProxyState, isIt = (_: ProxyStanding) => true) =>
    [...standings].filter(([, each]) => each.state === state && isIt(each)).map(([name]) => name)
      .sort();
  const isAwaited = ({ forMs }: ProxyStanding) => forMs < SILENT_WAIT_MS;
  const others = {
    behind: named("behind"),
    silent: named("silent"),
    unready: named("unready"),
  };
  const users = named("programmed");
  const programmed = users.length;
  const awaited = others.behind.length + named("silent", isAwaited).length;
  const proxies = programmed + awaited;
  const left = others.silent.length - (awaited - others.behind.length);
  const late =
    replicas.filter(({ uid, generation }) => uid !== live.uid || generation < live.generation)
      .length;
  const numbers = `${programmed} of ${proxies} proxies have generation ${live.generation}`;
  const apart = left === 0 ? "" : `, ${left} lost are not waited for`;
  const obstacle = missing > 0
    ? `${missing} of ${replicas.length + missing} controllers did not answer`
    : late > 0
    ? `${late} of ${replicas.length} controllers have not read generation ${live.generation} yet`
    : replicas.some(({ isNew }) => isNew)
    ? "a controller has just started, and proxies are still coming"
    : null;
  return {
    isReady: obstacle === null && awaited === 0,
    reason: `${obstacle === null ? "" : `${obstacle}; `}${numbers}${apart}`,
    programmed,
    proxies,
    users,
    others,
  };
}

function merged(replicas: readonly ReplicaState[]): Map<string, ProxyStanding> {
  const standings = new Map<string, ProxyStanding>();
  for (const { proxies } of replicas) {
    for (const [name, standing] of Object.entries(proxies)) {
      const known = standings.get(name);
      if (known === undefined || RANKS[standing.state] < RANKS[known.state]) {
        standings.set(name, standing);
      }
    }
  }
  return standings;
}
