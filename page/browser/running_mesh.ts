/** Asks the mesh that serves the page, again and again, for its manifests and its counters. */
import { useEffect, useState } from "preact/hooks";
import { MESH_LOOK_MS } from "../limits.ts";
import { MESH_PATHS, type MeshManifests } from "../page_data.ts";
import { type Edge, edgesSince, readEdges } from "./traffic.ts";

interface RunningMesh {
  readonly manifests: MeshManifests | null;
  readonly edges: readonly Edge[];
  readonly problem: string | null;
}

const NOTHING: RunningMesh = { manifests: null, edges: [], problem: null };

/** What the mesh says; nothing where none serves the page. */
export function useRunningMesh(isLive: boolean): RunningMesh {
  const [mesh, setMesh] = useState(NOTHING);
  useEffect(() => {
    if (!isLive) return;
    let isOver = false;
    let counts = readEdges("");
    let lookedAt = 0;
    let text = "";
    let manifests: MeshManifests | null = null;
    const look = async () => {
      try {
        const [manifestText, metrics] = await Promise.all([
          ask(MESH_PATHS.manifests),
          ask(MESH_PATHS.metrics),
        ]);
        const now = performance.now();
        const next = readEdges(metrics);
        const edges = edgesSince(counts, next, lookedAt === 0 ? 0 : now - lookedAt);
        [counts, lookedAt] = [next, now];
        // The very same object where nothing changed, so that nothing is compiled again.
        if (manifestText !== text) manifests = JSON.parse(manifestText);
        text = manifestText;
        if (!isOver) setMesh({ manifests, edges, problem: null });
      } catch {
        if (!isOver) {
          setMesh((last) => ({ ...last, problem: "The mesh does not answer any more." }));
        }
      }
      if (!isOver) setTimeout(look, MESH_LOOK_MS);
    };
    void look();
    return () => {
      isOver = true;
    };
  }, [isLive]);
  return mesh;
}

async function ask(path: string): Promise<string> {
  const answer = await fetch(path, { signal: AbortSignal.timeout(10 * MESH_LOOK_MS) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return await answer.text();
}
