/**
 * Calls across the edge of the mesh, one of each kind that rules can tell apart: by host, by address, by principal. Between two neighbouring
 * bounds of ranges all addresses are alike, so that the first of each stretch stands for it.
 */
import { formatIp, parseIp } from "../../base/ip.ts";
import { parseIpRange } from "../../base/capture_lists.ts";
import { compareText } from "../../base/order.ts";
import { fitsHost } from "../table/host_pattern.ts";

/** Null: no rule asks about it. */
export interface EdgeCall {
  /** Of a request, or the server name of TLS; empty: it names none. */
  readonly host: string | null;
  /** The address that is called, or that calls; `Service namespace/name`: one of its endpoints. */
  readonly place: string | null;
  /** The SPIFFE id that the caller shows; empty: another one, or none. */
  readonly principal: string | null;
}

/** What a rule asks of a call beside its request. Null: nothing. */
export interface EdgeAsked {
  readonly hosts: readonly string[] | null;
  /** Where it goes, or where it comes from; with the Services, one of both. */
  readonly ranges: readonly string[] | null;
  /** `namespace/name`. */
  readonly services: readonly string[];
  /** SPIFFE ids. */
  readonly principals: readonly string[] | null;
}

/** The usual first. */
export function edgeCalls(rules: readonly EdgeAsked[]): EdgeCall[] {
  const hosts = kindsOf(rules.map(({ hosts }) => hosts), hostsOf);
  const places = placesOf(rules);
  const principals = kindsOf(
    rules.map(({ principals }) => principals),
    (named) => [...sorted(named), ""],
  );
  return hosts.flatMap((host) =>
    places.flatMap((place) => principals.map((principal) => ({ host, place, principal })))
  );
}

/** @param kinds of what is named, where some rule asks */
function kindsOf(
  asked: readonly (readonly string[] | null)[],
  kinds: (named: readonly string[]) => readonly string[],
): readonly (string | null)[] {
  const lists = asked.filter((list) => list !== null);
  return lists.length === 0 ? [null] : kinds(lists.flat());
}

function hostsOf(patterns: readonly string[]): readonly string[] {
  const exact = patterns.filter((pattern) => !pattern.startsWith("*"));
  const others = patterns.filter((pattern) => pattern.startsWith("*"))
    .map((pattern) => otherHost(pattern.slice(1) || ".example", patterns));
  let end = ".example";
  while (patterns.includes(`*${end}`)) end += "-other";
  return [...sorted(exact), ...sorted([...others, otherHost(end, patterns)]), ""];
}

/** A host with this end that no narrower pattern takes. */
function otherHost(end: string, patterns: readonly string[]): string {
  const narrower = patterns.filter((pattern) => pattern !== "*" && pattern !== `*${end}`);
  let label = "any";
  while (
    narrower.some((pattern) => pattern.length > end.length && fitsHost(pattern, label + end))
  ) label += "-other";
  return label + end;
}

/** A Service counts as being in no range: where its endpoints are is not the rules' to say. */
function placesOf(rules: readonly EdgeAsked[]): readonly (string | null)[] {
  if (rules.every(({ ranges }) => ranges === null)) return [null];
  const services = rules.flatMap(({ services }) => services).map((name) => `Service ${name}`);
  const bounds = rules.flatMap(({ ranges }) => ranges ?? []).flatMap(boundsOf);
  return [...sorted(services), ...new Set([...bounds, "0.0.0.0", "::"])];
}

/** The first address of a range, and the first behind it. */
function boundsOf(range: string): string[] {
  const [first = "", bits = ""] = parseIpRange(range)?.text.split("/") ?? [];
  const bytes = parseIp(first);
  if (bytes === null) return [];
  const length = 8 * bytes.length;
  const size = 1n << BigInt(length - Number(bits));
  const next = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) + size;
  return next >> BigInt(length) > 0n ? [first] : [first, addressOf(next, bytes.length)];
}

function addressOf(number: bigint, length: number): string {
  const bytes = Uint8Array.from(
    { length },
    (_, i) => Number((number >> BigInt(8 * (length - 1 - i))) & 255n),
  );
  return formatIp(bytes, 0, length === 4 ? 4 : 16);
}

function sorted(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort(compareText);
}
