/**
 * Open Service Mesh (openservicemesh/osm 7bec5b6b2, archived). Routes: pkg/catalog/outbound_traffic_policies.go and
 * pkg/envoy/generator/rds/route_config.go. Not run: read.
 */
import type { Plan, PlanMatch } from "../../routing/plan.ts";
import type { TrafficTarget } from "../../schemas/resources.ts";
import {
  changePorts,
  changeRoutes,
  egressRemarks,
  ingressRemarks,
  type MeshProfile,
  NOTHING,
  oneSplitRemarks,
  randomRemarks,
  rootOf,
  splitsByRoot,
  versionRemarks,
} from "./mesh_profile.ts";

export const OSM: MeshProfile = {
  name: "OSM",
  readsTargets: true,
  noRuleStatus: 404,

  read(snapshot) {
    return {
      ...snapshot,
      // Whatever the matches: each split has one route, for all requests.
      trafficSplits: [...splitsByRoot(snapshot).values()].map(([first]) => ({
        ...first,
        matches: undefined,
      })),
      trafficTargets: snapshot.trafficTargets.flatMap(readTarget),
    };
  },

  change(plan, snapshot) {
    const broken = new Set(
      snapshot.trafficSplits.filter(({ backends }) => backends.every(({ weight }) => weight === 0))
        .map(rootOf),
    );
    return withWholeMatches(
      changePorts(plan, (port, { namespace, name }) =>
        changeRoutes(port, (route) => {
          if (broken.has(`${namespace}/${name}`)) return { ...route, ...NOTHING };
          return route.split === null ? route : { ...route, keepsShares: true };
        })),
    );
  },

  remarks(_plan, snapshot) {
    return [
      ...versionRemarks(snapshot, "OSM", ["v1alpha2"]),
      ...oneSplitRemarks(
        snapshot,
        "first-split",
        "OSM takes the first that it lists, which is a matter of chance; the oldest is taken here for it",
      ),
      ...randomRemarks(snapshot, "OSM"),
      ...egressRemarks(snapshot, "OSM"),
      ...ingressRemarks(snapshot, "OSM"),
    ];
  },
};

function readTarget(target: TrafficTarget): TrafficTarget[] {
  if (target.destination.namespace !== target.meta.namespace) return [];
  const rules = target.rules.filter(({ kind, matches }) =>
    kind !== "HTTPRouteGroup" || matches !== undefined
  );
  return rules.length === 0 ? [] : [{ ...target, rules }];
}

/** Envoy's `safe_regex`: the whole of a path or a value matches, or nothing does. */
function withWholeMatches(plan: Plan): Plan {
  const whole = (match: PlanMatch): PlanMatch => ({
    ...match,
    path: match.path === null ? null : `(?:${match.path})$`,
    headers: match.headers.map(({ name, pattern }) => ({ name, pattern: `^(?:${pattern})$` })),
  });
  return {
    ...plan,
    targets: plan.targets.map((target) => ({ ...target, http: target.http.map(whole) })),
  };
}
