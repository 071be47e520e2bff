/** Names of the meshes for `--as`; the grammar of a command must not load what they mean. */
import type { MeshId } from "../../offline/compat/meshes.ts";

export const MESHES_KNOWN = [
  "fsm",
  "osm",
  "linkerd",
  "traefik",
] as const satisfies readonly MeshId[];
