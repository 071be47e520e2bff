/** Traefik Mesh (traefik/mesh 9a344c91, dormant): pkg/topology, pkg/provider. Not run: read. */
import type { PlanBackend, PlanRoute, PlanService } from "../../routing/plan.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import {
  changePorts,
  changeRoutes,
  type MeshProfile,
  type MeshRemark,
  NOTHING,
  oneSplitRemarks,
  positionOfSplit,
  rootOf,
  splitsByRoot,
} from "./mesh_profile.ts";

export const TRAEFIK: MeshProfile = {
  name: "Traefik Mesh",
  readsTargets: true,
  noRuleStatus: 404,

  read(snapshot) {
    const roots = new Set(snapshot.trafficSplits.map(rootOf));
    const groups = new Set(
      snapshot.httpRouteGroups.filter(({ isRefused }) => isRefused !== true)
        .map(({ meta }) => `${meta.namespace}/${meta.name}`),
    );
    return {
      ...snapshot,
      trafficSplits: snapshot.trafficSplits.filter(({ meta, matches, backends }) =>
        // A split of a split, or in a circle, is left out; so is one of which a group is missing.
        backends.every(({ service }) => !roots.has(`${meta.namespace}/${service}`)) &&
        (matches ?? []).every(({ name }) => groups.has(`${meta.namespace}/${name}`))
      ),
    };
  },

  change(plan, snapshot) {
    const idle = new Set(
      snapshot.trafficSplits.filter(({ backends }) => backends.every(({ weight }) => weight === 0))
        .map(({ meta }) => `${meta.namespace}/${meta.name}`),
    );
    return changePorts(plan, (port, service) => {
      const partial = partialBackends(service);
      return changeRoutes(port, (route) => {
        if (route.split === null) return route;
        if (idle.has(`${route.split.namespace}/${route.split.name}`)) {
          return { ...route, ...NOTHING };
        }
        return { ...route, keepsShares: true, backends: route.backends.filter(takesPart(partial)) };
      });
    });
  },

  remarks(_plan, snapshot) {
    return [
      ...oneSplitRemarks(
        snapshot,
        "router-priority",
        "Traefik Mesh tries the one with more conditions first; between equal ones the order is not documented",
      ),
      ...hostRemarks(snapshot),
    ];
  },
};

/** Backends that lack a port of the root, which are none for any of its ports. */
function partialBackends({ ports }: PlanService): ReadonlySet<string> {
  const routesOf = (port: PlanService["ports"][number]): PlanRoute[] => [
    port.fallback,
    ...port.rules.map(({ route }) => route),
  ];
  return new Set(
    ports.flatMap(routesOf).flatMap(({ backends }) => backends)
      .filter(({ state }) => state === "no-port").map(keyOf),
  );
}

/** What has no Service, or not all ports, gives its share to the others. */
function takesPart(partial: ReadonlySet<string>): (backend: PlanBackend) => boolean {
  return (backend) => backend.state !== "missing" && !partial.has(keyOf(backend));
}

function keyOf({ namespace, service }: PlanBackend): string {
  return `${namespace}/${service}`;
}

function hostRemarks(snapshot: Snapshot): MeshRemark[] {
  const [splits] = splitsByRoot(snapshot).values();
  if (splits === undefined) return [];
  return [{
    code: "host-rewritten",
    text:
      "Traefik Mesh gives a backend its own name as Host; here it gets the Host that the client sent",
    position: positionOfSplit(splits[0]),
  }];
}
