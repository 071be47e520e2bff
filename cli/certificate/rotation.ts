/**
 * A change from one authority to another, as a list of steps that the objects themselves tell: what is to be done next follows from what
 * there is, so that it can be ended anywhere and gone on with. Pure.
 */
import type { ReplicaIdentity } from "../../controller/identity/answer.ts";
import { LEAF_MS } from "../../controller/identity/limits.ts";
import type { RootCertificate } from "../../controller/identity/root_certificate.ts";
import { rootSetOf } from "../../controller/identity/certificate.ts";
import { CLOCK_SKEW_MS } from "../../controller/inject/limits.ts";

/** Of the new object: the name of the one that it takes the place of. */
export const REPLACES = "weft.dev/replaces";

/** A MeshRootCertificate with what only a change needs to know. */
export interface Authority {
  readonly root: RootCertificate;
  /** Empty: none. */
  readonly replaces: string;
  /** When it was made, and when its role was last changed by a change, by the API server's clock. */
  readonly madeAtMs: number;
  readonly roleSinceMs: number;
}

/** What there is of the mesh. */
export interface MeshState {
  readonly authorities: readonly Authority[];
  /** One of each controller; null: it does not answer. */
  readonly replicas: readonly (ReplicaIdentity | null)[];
  /** Pods whose sidecars have their certificates from controllers, `namespace/name`. */
  readonly pods: readonly string[];
}

interface MeshView extends MeshState {
  /** By the API server's clock. */
  readonly nowMs: number;
}

/** How many have come so far. */
export interface Progress {
  readonly done: number;
  readonly of: number;
  /** Those that have not. */
  readonly missing: readonly string[];
  /** What else is waited for, in one line; empty: nothing. */
  readonly obstacle: string;
}

/** What is next of a change that has begun: it is waited for, and then done. */
export interface NextStep {
  readonly name: "sign" | "retire" | "drop" | "remove";
  readonly next: Authority;
  readonly old: Authority;
  /** Null: there is nothing to wait for. */
  readonly progress: Progress | null;
}

/** The change that is under way; null: none. */
export function changeUnderWay(
  authorities: readonly Authority[],
): { readonly next: Authority; readonly old: Authority } | null {
  for (const next of authorities) {
    const old = authorities.find(({ root }) => root.name === next.replaces);
    if (old !== undefined) return { next, old };
  }
  return null;
}

/**
 * What is next of a change; a text: why it cannot go on.
 */
export function nextStep(view: MeshView): NextStep | string | null {
  const change = changeUnderWay(view.authorities);
  if (change === null) return null;
  const { next, old } = change;
  const roles = `${old.root.role} ${next.root.role}`;
  switch (roles) {
    case "active passive": {
      const isSilentOver = isLeafOver(view, next.madeAtMs);
      return { name: "sign", next, old, progress: published(view, next, isSilentOver) };
    }
    case "active active":
      return { name: "retire", next, old, progress: null };
    case "passive active": {
      const isSilentOver = isLeafOver(view, next.roleSinceMs);
      return { name: "drop", next, old, progress: signed(view, next, isSilentOver) };
    }
    case "inactive active":
      return { name: "remove", next, old, progress: inForce(view, true) };
    default:
      return `MeshRootCertificate ${old.root.name} is ${old.root.role}, and ${next.root.name}, which takes its place, is ${next.root.role}`;
  }
}

/** How many trust what is to be trusted now. */
function published(view: MeshState, next: Authority, isSilentOver: boolean): Progress {
  const progress = inForce(view, isSilentOver);
  const unable = view.replicas.flatMap((each) =>
    each?.authorities.filter(({ name }) => name === next.root.name) ?? []
  ).find(({ problem }) => problem !== "");
  if (unable === undefined || progress.obstacle !== "") return progress;
  return { ...progress, obstacle: `${next.root.name} cannot sign: ${unable.problem}` };
}

/** How many have the root set of the objects in force. */
export function inForce(view: MeshState, isSilentOver: boolean): Progress {
  const trusted = view.authorities.filter(({ root }) => root.role !== "inactive");
  const { hash } = rootSetOf(trusted.map(({ root }) => root.roots));
  const behind = view.replicas.filter((each) => each?.roots !== hash).length;
  return progressOf(view, isSilentOver, (proxy) => proxy.roots === hash, behind);
}

/** How many show a certificate of the new authority. */
export function signed(view: MeshState, next: Authority, isSilentOver: boolean): Progress {
  const { name } = next.root;
  const behind = view.replicas.filter((each) => each?.signer !== name).length;
  return progressOf(view, isSilentOver, (proxy) => proxy.signer === name, behind);
}

function progressOf(
  { replicas, pods }: MeshState,
  isSilentOver: boolean,
  has: (proxy: { readonly roots: string; readonly signer: string }) => boolean,
  behind: number,
): Progress {
  const connected = new Map<string, boolean>();
  for (const replica of replicas) {
    for (const [name, proxy] of Object.entries(replica?.proxies ?? {})) {
      // One that moves from one controller to another may be at both for a moment.
      connected.set(name, (connected.get(name) ?? true) && has(proxy));
    }
  }
  const all = new Set([...connected.keys(), ...(isSilentOver ? [] : pods)]);
  const missing = [...all].filter((name) => connected.get(name) !== true).sort();
  const away = replicas.filter((each) => each === null).length;
  const obstacle = away > 0
    ? `${away} of ${replicas.length} controllers do not answer`
    : replicas.length === 0
    ? "there is no controller"
    : behind > 0
    ? `${behind} of ${replicas.length} controllers have not taken it yet`
    : "";
  return { done: all.size - missing.length, of: all.size, missing, obstacle };
}

export function isDone({ done, of, obstacle }: Progress): boolean {
  return done === of && obstacle === "";
}

/** Sidecars that were silent all this time have no certificate that is valid. */
function isLeafOver({ nowMs }: MeshView, sinceMs: number): boolean {
  return nowMs - sinceMs > LEAF_MS + 2 * CLOCK_SKEW_MS;
}
