/** What `/explain` on the admin port is asked: a query to the request that it means, or to what is wrong with it. */
import { parseIp } from "../../base/ip.ts";
import type { CallOrigin } from "../../routing/table/explanation.ts";

/** A request to be explained. */
export interface ExplainQuery {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  /** The listener that would take it: its place among those of its side. */
  readonly side: "outbound" | "inbound";
  readonly listener: number;
  /** Of an inbound request: who calls, as `namespace/serviceaccount`; empty: not known. */
  readonly caller: string;
  /** Of an inbound request: where outside the mesh it comes from; null: from within. */
  readonly origin: CallOrigin | null;
}

/** Each but `header` at most once. */
const PARAMETERS: readonly string[] = [
  ...["url", "method", "header", "listener", "side", "caller", "peer", "serverName"],
];

/** A token (RFC 9110 5.6.2), as methods and names of headers are. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What else a proxy refuses is explained as refused. */
const ABSOLUTE = /^(?:https?:\/\/[^/?#\s\p{Cc}]+[^\s\p{Cc}]*|tcp:\/\/[^/?#\s\p{Cc}]+:\d{1,5})$/iu;
const PATH = /^\/[^\s\p{Cc}]*$/u;
const IDENTITY = /^[a-z0-9.-]+\/[a-z0-9.-]+$/;

/** The request to be explained, or one line that says what is wrong. */
export function parseExplainQuery(parameters: URLSearchParams): ExplainQuery | string {
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) {
      return `Unknown parameter: ${name}; there are ${PARAMETERS.join(", ")}`;
    }
    if (name !== "header" && parameters.getAll(name).length > 1) return `${name} is there twice`;
  }
  const url = parameters.get("url") ?? "";
  if (url === "") return "Missing parameter: url";
  const method = parameters.get("method") ?? "GET";
  if (!TOKEN.test(method)) return `method is "${method}": want one like GET`;
  const headers: [string, string][] = [];
  for (const line of parameters.getAll("header")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).trim();
    if (!TOKEN.test(name) || /[\r\n\0]/.test(line)) {
      return `header is "${line}": want it like Name: value`;
    }
    headers.push([name, line.slice(colon + 1).trim()]);
  }
  const hasHost = headers.some(([name]) => name.toLowerCase() === "host");
  if (!ABSOLUTE.test(url) && !(PATH.test(url) && hasHost)) {
    return `url is "${url}": want one like http://web.shop:8080/path, a path and a header Host, or tcp://db.shop:5432`;
  }
  const listener = parameters.get("listener") ?? "0";
  if (!/^\d{1,4}$/.test(listener)) return `listener is "${listener}": want a whole number from 0`;
  const side = parameters.get("side") ?? "outbound";
  if (side !== "outbound" && side !== "inbound") return "side is outbound or inbound";
  const caller = parameters.get("caller") ?? "";
  if (caller !== "" && !IDENTITY.test(caller)) {
    return `caller is "${caller}": want it like namespace/serviceaccount`;
  }
  const peer = parameters.get("peer");
  if (peer !== null && parseIp(peer) === null) return `peer is "${peer}": want an IP address`;
  const serverName = parameters.get("serverName");
  if (serverName !== null && peer === null) return "serverName is of a caller with peer";
  const origin = peer === null ? null : { peer, serverName };
  return { method, url, headers, side, listener: Number(listener), caller, origin };
}
