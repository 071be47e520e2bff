/** The meshes whose documented behaviour is known, and manifests as they would treat them. */
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import type { Explanation } from "../../routing/table/explanation.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { FSM } from "./fsm.ts";
import { LINKERD } from "./linkerd.ts";
import type { MeshProfile, MeshRemark } from "./mesh_profile.ts";
import { OSM } from "./osm.ts";
import { TRAEFIK } from "./traefik.ts";

const MESHES = { fsm: FSM, osm: OSM, linkerd: LINKERD, traefik: TRAEFIK } as const;

export type MeshId = keyof typeof MESHES;

/** Each with its name. */
export const MESH_NAMES: readonly (readonly [id: MeshId, name: string])[] = Object.entries(MESHES)
  .map(([id, { name }]) => [id as MeshId, name]);

interface MeshView {
  readonly name: string;
  readonly readsTargets: boolean;
  readonly noRuleStatus: number;
  readonly plan: Plan;
  readonly remarks: readonly MeshRemark[];
}

/** An explanation by its plan, with the status that it answers itself. */
export function inStatusOf({ noRuleStatus }: MeshView, explanation: Explanation): Explanation {
  return explanation.reason === "no-rule" ? { ...explanation, status: noRuleStatus } : explanation;
}

/** What another mesh does with the same resources. Findings are ours, and not about it. */
export function viewAs(mesh: MeshId, snapshot: Snapshot, permissive: boolean): MeshView {
  const profile: MeshProfile = MESHES[mesh];
  const read = profile.read(snapshot);
  const { plan } = compile(read, { permissive });
  return {
    name: profile.name,
    readsTargets: profile.readsTargets,
    noRuleStatus: profile.noRuleStatus,
    plan: profile.change(plan, read),
    remarks: profile.remarks(plan, snapshot),
  };
}
