/**
 * Egress of Weft, FSM and OSM, which write it alike, to its internal shape.
 *
 * It only ever allows. What cannot be read of it allows nothing: a bad host or range loses itself, and where none is left the list
 * stays one that nothing satisfies.
 */
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { Egress, EgressPort, TargetSubject } from "../resources.ts";
import { readHosts, readRanges, readRouteGroups } from "./policy_lists.ts";

/** Reads an Egress; undefined if it is refused. The schema has been checked. */
export function readEgress(object: SourceObject): Egress | undefined {
  if (object.isRefused) return undefined;
  const spec = object.root.at("spec");
  return {
    meta: object.meta,
    sources: spec.at("sources").objects().flatMap((at) => readSource(at) ?? []),
    hosts: readHosts(object, spec.at("hosts")),
    ranges: readRanges(object, spec.at("ipAddresses")),
    ports: spec.at("ports").objects().flatMap((at) => readPort(object, at) ?? []),
    matches: readRouteGroups(spec.at("matches")),
  };
}

function readSource(at: Field): TargetSubject | undefined {
  const kind = at.at("kind").requiredString();
  const name = at.at("name").requiredString();
  const namespace = at.at("namespace").requiredString();
  if (kind === undefined || name === undefined || namespace === undefined) return undefined;
  return { kind, name, namespace, at: at.path };
}

function readPort(object: SourceObject, at: Field): EgressPort | undefined {
  const port = at.at("number").port();
  const protocol = at.at("protocol").string();
  if (!object.isSound(at.path) || port === undefined) return undefined;
  return isProtocol(protocol) ? { port, protocol, at: at.path } : undefined;
}

function isProtocol(text: string | undefined): text is EgressPort["protocol"] {
  return text === "http" || text === "https" || text === "tcp";
}
