/** What a route puts in place of a part of a request's target: in what is sent on, or in where the client is sent. */
import type { PlanPathChange, PlanRedirect } from "../plan.ts";
import { headText, type RequestHead } from "../request.ts";

const SLASH = 0x2f;
const COLON = 0x3a;
const CLOSING_BRACKET = 0x5d;

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** A path as it becomes: a text, and then the request's own bytes from some place on, with the query. */
interface ChangedPath {
  readonly text: string;
  readonly from: number;
}

/** Null: it is no path. */
export function changedPath(change: PlanPathChange, head: RequestHead): ChangedPath | null {
  const { bytes, pathStart, pathEnd } = head;
  if (pathStart === pathEnd || bytes[pathStart] !== SLASH) return null;
  if (change.kind === "full") return { text: change.value, from: pathEnd };
  const from = Math.min(pathStart + trimmed(change.prefix).length, pathEnd);
  return { text: from === pathEnd ? change.value : trimmed(change.value), from };
}

function trimmed(path: string): string {
  return path.replace(/\/+$/, "");
}

/** The URL that a client is sent to. @param port of the Service, which it keeps where nothing says another */
export function redirectLocation(redirect: PlanRedirect, head: RequestHead, port: number): string {
  const { authorityStart, pathStart, pathEnd, queryStart, queryEnd } = head;
  const scheme = redirect.scheme ?? "http";
  const wanted = redirect.port ?? (redirect.scheme === null ? port : DEFAULT_PORTS[scheme]);
  const host = redirect.host ?? headText(head, authorityStart, hostEnd(head));
  const suffix = wanted === DEFAULT_PORTS[scheme] ? "" : `:${wanted}`;
  const changed = redirect.path === null ? null : changedPath(redirect.path, head);
  const path = changed === null
    ? headText(head, pathStart, pathEnd)
    : changed.text + headText(head, changed.from, pathEnd);
  const query = queryEnd > queryStart ? `?${headText(head, queryStart, queryEnd)}` : "";
  return `${scheme}://${host}${suffix}${path}${query}`;
}

/** Where the host of the authority ends, without its port. */
function hostEnd({ bytes, authorityStart, authorityEnd }: RequestHead): number {
  for (let at = authorityEnd - 1; at >= authorityStart; at--) {
    if (bytes[at] === CLOSING_BRACKET) break;
    if (bytes[at] === COLON) return at;
  }
  return authorityEnd;
}
