/**
 * IngressBackend of Weft, FSM and OSM, which write it alike, to its internal shape.
 *
 * It only ever allows. A backend that cannot be read in full allows nothing. A source that cannot be read is kept as one that no one is:
 * it may have been the one that narrowed the others.
 */
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { IngressBackend, IngressPort, IngressSource } from "../resources.ts";
import { readHosts, readRange, readRouteGroups } from "./policy_lists.ts";

/** Reads an IngressBackend; undefined if it is refused. The schema has been checked. */
export function readIngressBackend(object: SourceObject): IngressBackend | undefined {
  if (object.isRefused) return undefined;
  const spec = object.root.at("spec");
  return {
    meta: object.meta,
    backends: spec.at("backends").objects().flatMap((at) => readBackend(object, at) ?? []),
    sources: spec.at("sources").list().map((at) => readSource(object, at)),
    matches: readRouteGroups(spec.at("matches")),
  };
}

function readBackend(object: SourceObject, at: Field): IngressPort | undefined {
  if (!object.isSound(at.path)) return undefined;
  const service = at.at("name").requiredString();
  const port = at.at("port").at("number").port();
  const protocol = at.at("port").at("protocol").string();
  const tls = at.at("tls");
  if (service === undefined || port === undefined) return undefined;
  if (protocol !== "http" && protocol !== "https") return undefined;
  return {
    service,
    port,
    protocol,
    skipsCertificate: tls.at("skipClientCertValidation").boolean() ?? false,
    serverNames: readHosts(object, tls.at("sniHosts")),
    at: at.path,
  };
}

function readSource(object: SourceObject, at: Field): IngressSource {
  const unread = { kind: null, name: "", namespace: "", at: at.path };
  const kind = at.at("kind").string() ?? "";
  const name = at.at("name").string() ?? "";
  const namespace = at.at("namespace").string() || object.meta.namespace;
  if (!object.isSound(at.path) || kind === "" || name === "") return unread;
  if (kind !== "IPRange") return { kind, name, namespace, at: at.path };
  const range = readRange(object, at.at("name").path, name);
  return { kind, name: range ?? "", namespace, at: at.path };
}
