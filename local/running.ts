/**
 * How `weft request --from NAMESPACE` finds the sidecar of a namespace. A running `weft up` leaves a note of its listeners: one
 * file for each first port, readable by the same user only.
 */
import { tmpdir } from "node:os";
import type { Environment } from "../console/environment.ts";
import type { Sidecar } from "./sidecars.ts";

/** The file's name holds the user's number, because the directory may be shared. */
function noteFile(port: number, environment: Environment): string {
  const directory = environment.variable("XDG_RUNTIME_DIR") || tmpdir();
  return `${directory}/weft-up-${Deno.uid() ?? 0}-${port}.json`;
}

/** Leaves the note; returns how to take it back. A note that cannot be left is not missed before `--from`. */
export function leaveNote(
  sidecars: readonly Sidecar[],
  environment: Environment,
): () => void {
  const [first] = sidecars;
  if (first === undefined) return () => {};
  const file = noteFile(first.port, environment);
  try {
    Deno.writeTextFileSync(file, JSON.stringify({ sidecars }), { mode: 0o600 });
  } catch {
    return () => {};
  }
  return () => {
    try {
      Deno.removeSync(file);
    } catch {
      // It was cleaned up before.
    }
  };
}

/** The listeners of the mesh whose first one is on `port`; undefined if there is no note of the same user. */
export function readNote(port: number, environment: Environment): Sidecar[] | undefined {
  const file = noteFile(port, environment);
  try {
    const uid = Deno.statSync(file).uid;
    if (uid !== null && uid !== Deno.uid()) return undefined;
    const note: { sidecars?: unknown } = JSON.parse(Deno.readTextFileSync(file));
    return Array.isArray(note.sidecars) ? note.sidecars.filter(isSidecar) : undefined;
  } catch {
    return undefined;
  }
}

function isSidecar(value: unknown): value is Sidecar {
  if (typeof value !== "object" || value === null) return false;
  const { namespace, identity, address, port } = value as Partial<Sidecar>;
  return typeof namespace === "string" && typeof identity === "string" &&
    typeof address === "string" && typeof port === "number";
}
