/** Linkerd with linkerd-smi (c0c39b1; linkerd2-proxy 29637b64f): a TrafficSplit becomes a ServiceProfile. Not run: read. */
import {
  type MeshProfile,
  type MeshRemark,
  oneSplitRemarks,
  positionOfSplit,
  randomRemarks,
  splitsByRoot,
  versionRemarks,
} from "./mesh_profile.ts";
import type { Snapshot } from "../../schemas/resources.ts";

export const LINKERD: MeshProfile = {
  name: "Linkerd",
  readsTargets: false,
  noRuleStatus: 404,

  read(snapshot) {
    return {
      ...snapshot,
      trafficSplits: [...splitsByRoot(snapshot).values()].flatMap((splits) =>
        splits.slice(-1).map((last) => ({ ...last, matches: undefined }))
      ),
    };
  },

  change: (plan) => ({ ...plan, permissive: true, targets: [] }),

  remarks(_plan, snapshot) {
    return [
      ...versionRemarks(snapshot, "linkerd-smi", ["v1alpha1"]),
      ...oneSplitRemarks(
        snapshot,
        "last-split",
        "with linkerd-smi the one that was synchronised last counts; the newest is taken here for it",
      ),
      ...randomRemarks(snapshot, "Linkerd"),
      ...missingRemarks(snapshot),
      ...accessRemarks(snapshot),
    ];
  },
};

function missingRemarks({ trafficSplits, services }: Snapshot): MeshRemark[] {
  const known = new Set(services.map(({ meta }) => `${meta.namespace}/${meta.name}`));
  return trafficSplits.flatMap((split) => {
    const missing = split.backends.find(({ service, weight }) =>
      weight > 0 && !known.has(`${split.meta.namespace}/${service}`)
    );
    if (missing === undefined) return [];
    return [{
      code: "missing-backend",
      text:
        `Backend ${missing.service} has no Service: in Linkerd its share fails; here the others have it`,
      position: positionOfSplit(split),
    }];
  });
}

function accessRemarks({ trafficTargets }: Snapshot): MeshRemark[] {
  const [first] = trafficTargets;
  if (first === undefined) return [];
  return [{
    code: "targets-not-read",
    text:
      "Linkerd does not read TrafficTargets: everything is allowed by them there; here they count once permissive mode is off",
    position: first.meta.origin.locate([]) ?? null,
  }];
}
