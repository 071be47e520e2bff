/** The way back from injection: from a pod with a sidecar to a JSON patch that takes it away. Pure. */
import { INIT_NAME, PROXY_NAME } from "../../base/sidecar_pod.ts";
import { VOLUME_NAME } from "./choose.ts";
import { CA_ANNOTATION, HEALTH_PORT } from "./containers.ts";
import { DEFAULT_CONTAINERS, PROBES, STATUS_ANNOTATION } from "./inject.ts";
import { type PatchOperation, PatchWriter } from "./patch.ts";
import { fieldsOf } from "../kube/fields.ts";
import type { PodObject } from "./pod.ts";

/** Empty: there is nothing of ours. A probe that named its port has its number afterwards. */
export function uninject(pod: PodObject): readonly PatchOperation[] {
  const writer = new PatchWriter();
  restoreProbes(pod, writer);
  const isOwn = ({ name }: { readonly name: string }) =>
    name === INIT_NAME || name === PROXY_NAME || name === VOLUME_NAME;
  for (const list of ["initContainers", "containers", "volumes"] as const) {
    const items = pod.spec[list] ?? [];
    if (items.length > 0 && items.every(isOwn)) {
      writer.remove(["spec", list]);
      continue;
    }
    // The last one first, so that each still stands where it stood.
    for (const [index, item] of [...items.entries()].reverse()) {
      if (isOwn(item)) writer.remove(["spec", list, index]);
    }
  }
  removeAnnotations(pod, writer);
  return writer.operations;
}

function restoreProbes({ spec }: PodObject, writer: PatchWriter): void {
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      for (const kind of PROBES) {
        const { httpGet, ...rest } = container[kind] ?? {};
        const { path, port } = fieldsOf(httpGet);
        const [, kindAsked, asked, pathAsked = ""] =
          /^\/(tcp|https)\/(\d+)(\/.*)?$/.exec(`${path}`) ?? [];
        if (port !== HEALTH_PORT || asked === undefined) continue;
        const place = { port: Number(asked) };
        const probe = kindAsked === "tcp"
          ? { tcpSocket: place }
          : { httpGet: { ...httpGet, ...place, path: pathAsked, scheme: "HTTPS" } };
        writer.replace(["spec", list, index, kind], { ...rest, ...probe });
      }
    }
  }
}

/** The default container goes where kubectl would take it without being told. */
function removeAnnotations({ spec, metadata }: PodObject, writer: PatchWriter): void {
  const annotations = metadata?.annotations ?? {};
  const first = spec.containers.find(({ name }) => name !== PROXY_NAME)?.name;
  const isOwn = ([key, value]: [string, string]) =>
    key === STATUS_ANNOTATION || key === CA_ANNOTATION ||
    (DEFAULT_CONTAINERS.includes(key) && value === first);
  // Without a sidecar there is none of ours.
  if (annotations[STATUS_ANNOTATION] === undefined) return;
  const own = Object.entries(annotations).filter(isOwn);
  if (own.length === Object.keys(annotations).length) writer.remove(["metadata", "annotations"]);
  else for (const [key] of own) writer.remove(["metadata", "annotations", key]);
}
