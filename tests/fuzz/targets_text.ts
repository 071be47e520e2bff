/** Short texts that come with requests and certificates: authorities, trace contexts, identities. */
import assert from "node:assert/strict";
import type { Random } from "../../base/random.ts";
import { formatWorkloadId, parseWorkloadId } from "../../base/spiffe.ts";
import { parseB3, parseTraceparent } from "../../proxy/tracing/trace_headers.ts";
import type { PlanService } from "../../routing/plan.ts";
import { HostIndex, HostMatch } from "../../routing/table/host_index.ts";
import { bytesOf, textOf } from "../support/bytes_notation.ts";
import type { Target } from "./fuzz.ts";
import { damage, pick } from "./generate.ts";
import { mutate } from "./mutate.ts";
import type { Corpus } from "./mutate.ts";

// Authorities.

function service(namespace: string, name: string, clusterIps: readonly string[]): PlanService {
  return { namespace, name, clusterIps, ports: [], podHosts: [`${name}-0`], position: null };
}

const SERVICES = [
  service("app", "web", ["10.0.0.1", "fd00::1"]),
  service("app", "svc", []),
  service("other", "web", ["10.0.0.2"]),
  service("svc", "cluster", []),
];
const SUFFIXES = ["", ".svc", ".svc.cluster", ".svc.cluster.local"];
const PLACES = SERVICES.map((plan, place) => ({ plan, place }));
const INDEX = new HostIndex(PLACES, "app", { clusterDomain: "cluster.local" });

/** Every spelling without a port, in lower case, with what it names; the first that is put down counts. */
const SPELLINGS = new Map<string, string>();
for (const isPod of [false, true]) {
  for (const suffix of [...SUFFIXES].reverse()) {
    for (const [index, { namespace, name, clusterIps }] of SERVICES.entries()) {
      const host = isPod ? `${name}-0.${name}` : name;
      const target = `${index} ${isPod ? 0 : -1}`;
      note(`${host}.${namespace}${suffix}`, target);
      if (suffix !== "") continue;
      if (namespace === "app") note(host, target);
      if (!isPod) { for (const address of clusterIps) note(address, target); }
    }
  }
}

function note(spelling: string, target: string): void {
  if (!SPELLINGS.has(spelling)) SPELLINGS.set(spelling, target);
}

/** What an authority names, and the port; null: nothing. */
function findReference(authority: string): { target: string; port: number } | null {
  const [, host, port] = /^([^:]*)(?::(\d{0,5}))?$/.exec(authority) ?? [];
  const target = SPELLINGS.get(host?.toLowerCase().replace(/\.$/, "") ?? "");
  if (target === undefined || Number(port ?? 0) > 65_535) return null;
  return { target, port: port === undefined || port === "" ? -1 : Number(port) };
}

const authority: Target = {
  name: "authority",
  invariant: "An authority names the Service, the pod and the port that the list of spellings says",
  generate(random) {
    const host = pick(random, [...SPELLINGS.keys()]);
    const isUpper = random.below(4) === 0;
    const name = (isUpper ? host.toUpperCase() : host) + (random.below(4) === 0 ? "." : "");
    const port = pick(random, ["", "", ":80", ":", ":65535", ":65536", ":080", ":8o"]);
    return bytesOf(damage(random, name + port));
  },
  check(bytes) {
    const match = new HostMatch<typeof PLACES[number]>();
    INDEX.find(bytes, 0, bytes.length, match);
    const found = match.isValid && match.service !== null
      ? { target: `${match.service.place} ${match.pod}`, port: match.port }
      : null;
    const text = textOf(bytes);
    // An IPv6 address needs its brackets, and has spellings of its own.
    if (text.startsWith("[") || text.split(":").length > 2) return;
    assert.deepEqual(found, findReference(text));
  },
};

// Trace contexts.

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACES: Corpus = {
  texts: [
    `00-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-00-more`,
    `${TRACE}-${SPAN}-1`,
    `${TRACE.slice(16)}-${SPAN}-d-${SPAN}`,
    "0",
    "1",
    "d",
  ],
  words: ["00", "ff", "-", "0".repeat(32), "0".repeat(16), "A", TRACE, SPAN, "1", "d", " "],
};

function isHex(text: string | undefined, length: number): boolean {
  return text !== undefined && text.length === length && /^[0-9a-f]+$/.test(text);
}

function traceparentReference(text: string) {
  const [version, trace, span, flags, ...more] = text.split("-");
  const isId = (id: string, length: number) => isHex(id, length) && !/^0+$/.test(id);
  const isWhole = isHex(version, 2) && version !== "ff" && isId(trace, 32) && isId(span, 16) &&
    isHex(flags, 2) && (version !== "00" || more.length === 0) && !/[\n\r\u2028\u2029]/.test(text);
  return isWhole
    ? { traceId: trace, spanId: span, isSampled: parseInt(flags, 16) % 2 === 1 }
    : null;
}

const trace: Target = {
  name: "trace",
  invariant:
    "traceparent is read as by the reference; b3 gives whole ids, or none, and reads its own again",
  generate: (random) => bytesOf(latin1(mutate(random, TRACES))),
  check(bytes) {
    const text = textOf(bytes);
    assert.deepEqual(parseTraceparent(text), traceparentReference(text));
    const b3 = parseB3(text);
    if (b3 === null) return;
    const { traceId, spanId, isSampled } = b3;
    assert.match(`${traceId}-${spanId}`, /^(-|[0-9a-f]{32}-[0-9a-f]{16})$/);
    if (traceId === "") return;
    const sampled = isSampled === null ? "" : isSampled ? "-1" : "-0";
    assert.deepEqual(parseB3(`${traceId}-${spanId}${sampled}`), b3);
  },
};

function latin1(text: string): string {
  return text.replace(/[^\0-\xff]/g, "?");
}

// Identities.

const IDENTITIES: Corpus = {
  texts: ["spiffe://cluster.local/ns/app/sa/web", "spiffe://a/ns/b/sa/c"],
  words: ["spiffe://", "/ns/", "/sa/", "..", ".", "/", "%2e", "A", "é", "?", "#", "x".repeat(300)],
};

const identity: Target = {
  name: "identity",
  invariant: "A URI that names a service account is the only one that does, and has no path tricks",
  generate: (random: Random) => bytesOf(latin1(mutate(random, IDENTITIES))),
  check(bytes) {
    const uri = textOf(bytes);
    const id = parseWorkloadId(uri);
    if (id === null) return;
    assert.equal(formatWorkloadId(id), uri);
    assert.match(id.identity, /^[^/]+\/[^/]+$/);
    assert.ok(!id.identity.split("/").some((part) => part === "." || part === ".."), uri);
  },
};

export const TEXT_TARGETS: readonly Target[] = [authority, trace, identity];
