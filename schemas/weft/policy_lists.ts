/**
 * Lists of Egress and IngressBackend, each a restriction: what cannot be read of one loses itself, and where none is left the list stays
 * one that nothing satisfies.
 */
import { parseIpRange } from "../../base/capture_lists.ts";
import type { FieldPath } from "../../base/finding.ts";
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { RouteGroupRef } from "../resources.ts";

/** `*` alone, or labels of a DNS name, the first of them perhaps `*`. */
const HOST =
  /^(?:\*|(?:\*\.)?[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?(?:\.[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?)*)\.?$/;

/** An empty list says nothing, to OSM and FSM too. */
function isLeftOut(list: Field): boolean {
  return !list.isPresent || (Array.isArray(list.value) && list.value.length === 0);
}

/** Undefined: it is left out. */
export function readHosts(object: SourceObject, list: Field): readonly string[] | undefined {
  return readTexts(object, list, readHost);
}

/** Undefined: it is left out. */
export function readRanges(object: SourceObject, list: Field): readonly string[] | undefined {
  return readTexts(object, list, (_, at, text) => readRange(object, at.path, text));
}

/** Undefined: it is left out. */
export function readRouteGroups(list: Field): readonly RouteGroupRef[] | undefined {
  if (isLeftOut(list)) return undefined;
  return list.objects().flatMap((at) => {
    const kind = at.at("kind").requiredString();
    const name = at.at("name").requiredString();
    return kind === undefined || name === undefined ? [] : [{ kind, name, at: at.path }];
  });
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

/** As `parseIpRange` writes it; undefined: it is none, which is reported. */
export function readRange(
  object: SourceObject,
  path: FieldPath,
  text: string,
): string | undefined {
  const range = parseIpRange(text)?.text;
  // A range of IPv4 in its IPv6 spelling has none that is read back.
  if (range !== undefined && parseIpRange(range)?.text === range) return range;
  object.report(
    "schema-invalid",
    path,
    `"${text.slice(0, 60)}" is not a range of addresses, so it allows nothing`,
    'Write an address with the length of its prefix, such as "192.0.2.0/24"',
  );
  return undefined;
}
