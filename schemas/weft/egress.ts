/**
 * Egress of Weft, FSM and OSM, which write it alike, to its internal shape.
 *
 * It only ever allows. What cannot be read of it allows nothing: a bad host or range loses itself, and where none is left the list
 * stays one that nothing satisfies.
 */
import { parseIpRange } from "../../base/capture_lists.ts";
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { Egress, EgressPort, TargetSubject } from "../resources.ts";

/** `*` alone, or labels of a DNS name, the first of them perhaps `*`. */
const HOST =
  /^(?:\*|(?:\*\.)?[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?(?:\.[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?)*)\.?$/;

/** Reads an Egress; undefined if it is refused. The schema has been checked. */
export function readEgress(object: SourceObject): Egress | undefined {
  if (object.isRefused) return undefined;
  const spec = object.root.at("spec");
  const matches = spec.at("matches");
  return {
    meta: object.meta,
    sources: spec.at("sources").objects().flatMap((at) => readSource(at) ?? []),
    hosts: readTexts(object, spec.at("hosts"), readHost),
    ranges: readTexts(object, spec.at("ipAddresses"), readRange),
    ports: spec.at("ports").objects().flatMap((at) => readPort(object, at) ?? []),
    matches: isLeftOut(matches)
      ? undefined
      : matches.objects().flatMap((at) => readMatch(at) ?? []),
  };
}

/** An empty list says nothing, to OSM and FSM too. */
function isLeftOut(list: Field): boolean {
  return !list.isPresent || (Array.isArray(list.value) && list.value.length === 0);
}

function readSource(at: Field): TargetSubject | undefined {
  const kind = at.at("kind").requiredString();
  const name = at.at("name").requiredString();
  const namespace = at.at("namespace").requiredString();
  if (kind === undefined || name === undefined || namespace === undefined) return undefined;
  return { kind, name, namespace, at: at.path };
}

function readTexts(
  object: SourceObject,
  list: Field,
  read: (object: SourceObject, at: Field, text: string) => string | undefined,
): readonly string[] | undefined {
  if (isLeftOut(list)) return undefined;
  return list.list().flatMap((at) => {
    const text = at.string();
    return text === undefined || !object.isSound(at.path) ? [] : read(object, at, text) ?? [];
  });
}

function readHost(object: SourceObject, at: Field, text: string): string | undefined {
  const host = text.toLowerCase();
  if (HOST.test(host)) return host.replace(/\.$/, "");
  object.report(
    "schema-invalid",
    at.path,
    `"${text.slice(0, 60)}" is not a host, so it allows nothing`,
    'Write a name such as "api.example.com" or "*.example.com", without scheme, port or path',
  );
  return undefined;
}

function readRange(object: SourceObject, at: Field, text: string): string | undefined {
  const range = parseIpRange(text)?.text;
  // A range of IPv4 in its IPv6 spelling has none that is read back.
  if (range !== undefined && parseIpRange(range)?.text === range) return range;
  object.report(
    "schema-invalid",
    at.path,
    `"${text}" is not a range of addresses, so it allows nothing`,
    'Write an address with the length of its prefix, such as "192.0.2.0/24"',
  );
  return undefined;
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

function readMatch(at: Field) {
  const kind = at.at("kind").requiredString();
  const name = at.at("name").requiredString();
  return kind === undefined || name === undefined ? undefined : { kind, name, at: at.path };
}
