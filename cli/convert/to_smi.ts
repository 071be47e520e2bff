/** Routes of the Gateway API as splits and route groups: what a split can say of them. */
import {
  carriesHttp,
  type Plan,
  type PlanPort,
  type PlanRule,
  type PlanService,
} from "../../routing/plan.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { type Conversion, freeName, type Replaced } from "./conversion.ts";

type Manifest = Readonly<Record<string, unknown>>;

export function toSmi(plan: Plan, snapshot: Snapshot): Conversion {
  const notes = new Set<string>();
  const manifests: Manifest[] = [];
  const replaced: Replaced = new Set();
  const taken = new Set(
    [...snapshot.trafficSplits, ...snapshot.httpRouteGroups]
      .map(({ meta }) => `${meta.kind} ${meta.namespace}/${meta.name}`),
  );
  for (const route of snapshot.gatewayRoutes) {
    const { meta, parents } = route;
    if (parents.length === 0) continue;
    const isOwn = parents.every(({ namespace }) => namespace === meta.namespace);
    if (isOwn) replaced.add(route);
    else {
      notes.add(
        `${meta.kind} ${meta.namespace}/${meta.name} stays: a split is for clients of all namespaces, and of its own namespace's Services`,
      );
    }
  }
  for (const service of plan.services) {
    const ports = service.ports.filter(isRouted);
    const port = ports.find(({ protocol }) => carriesHttp(protocol)) ?? ports[0];
    if (port === undefined) continue;
    if (service.ports.length > 1) {
      notes.add(
        `${service.namespace}/${service.name}: a split is for all ports; those of port ${port.port} are written`,
      );
    }
    manifests.push(...splitsOf(service, port, { taken, notes }));
  }
  return { manifests, replaced, notes: [...notes] };
}

function isRouted({ rules, fallback }: PlanPort): boolean {
  return [...rules.map(({ route }) => route), fallback]
    .some(({ split, answer }) =>
      answer !== undefined || (split !== null && split.kind !== "TrafficSplit")
    );
}

interface Writing {
  readonly taken: Set<string>;
  readonly notes: Set<string>;
}

function splitsOf(service: PlanService, port: PlanPort, writing: Writing): Manifest[] {
  const { namespace, name } = service;
  const place = `${namespace}/${name}:${port.port}`;
  const manifests: Manifest[] = [];
  const add = (kind: string, apiVersion: string, wanted: string, spec: Manifest) => {
    const free = freeName(`${kind} ${namespace}/${wanted}`, writing.taken);
    writing.taken.add(free);
    const own = free.slice(`${kind} ${namespace}/`.length);
    manifests.push({ apiVersion, kind, metadata: { name: own, namespace }, spec });
    return own;
  };
  const groups = new Map<string, PlanRule[]>();
  for (const rule of port.rules) {
    noteUnsaid(rule, service, port, writing.notes);
    // Without its parameters it would take more than it says.
    if (rule.route.backends.length === 0 || (rule.match.queries ?? []).length > 0) continue;
    const key = JSON.stringify(rule.route.backends);
    groups.set(key, [...groups.get(key) ?? [], rule]);
  }
  let isCovered = port.fallback.answer === undefined;
  for (const rules of groups.values()) {
    const [{ route }] = rules;
    const isPlain = ({ match }: PlanRule) =>
      match.path === null && match.methods === null && match.headers.length === 0;
    const narrow = rules.filter((rule) => !isPlain(rule));
    const spec = {
      service: name,
      backends: route.backends.map(({ service, weight }) => ({ service, weight })),
    };
    if (narrow.length > 0) {
      const matches = narrow.map(({ match: { name, path, methods, headers } }) => ({
        name,
        ...(path === null ? {} : { pathRegex: path }),
        methods: methods ?? ["*"],
        ...(headers.length === 0 ? {} : {
          headers: Object.fromEntries(headers.map(({ name, pattern }) => [name, pattern])),
        }),
      }));
      const group = add("HTTPRouteGroup", "specs.smi-spec.io/v1alpha4", name, { matches });
      const named = [{ kind: "HTTPRouteGroup", name: group }];
      add("TrafficSplit", "split.smi-spec.io/v1alpha4", group, { ...spec, matches: named });
    }
    if (narrow.length < rules.length) {
      isCovered = true;
      add("TrafficSplit", "split.smi-spec.io/v1alpha4", name, spec);
    }
  }
  if (!carriesHttp(port.protocol) && port.fallback.split !== null) {
    const backends = port.fallback.backends.map(({ service, weight }) => ({ service, weight }));
    add("TrafficSplit", "split.smi-spec.io/v1alpha4", name, { service: name, backends });
  } else if (!isCovered) {
    writing.notes.add(
      `${place}: what no rule takes is answered 404 by a route, and goes to the Service's own endpoints with splits`,
    );
  }
  return manifests;
}

function noteUnsaid(
  { match, route, policy }: PlanRule,
  { namespace, name }: PlanService,
  { port }: PlanPort,
  notes: Set<string>,
): void {
  const note = (what: string) =>
    notes.add(`${namespace}/${name}:${port}: rule ${match.group.name}#${match.name}: ${what}`);
  if ((match.queries ?? []).length > 0) {
    note("parameters of a query, which a split does not know: the match is left out");
  }
  if (route.answer?.kind === "redirect") note("a redirect, which a split has not");
  else if (route.backends.length === 0) note("it has no backend");
  const own = Object.entries(policy?.sources ?? {})
    .filter(([, source]) => source.policy.kind !== "TrafficPolicy").map(([section]) => section);
  if (own.length > 0) {
    note(`${own.join(", ")}: attach a TrafficPolicy to the match, except for a rewrite`);
  }
  for (const { namespace: of, service, group, headers, state } of route.backends) {
    if (headers !== undefined) note(`headers of backend ${service} alone`);
    if (of !== namespace) note(`backend ${of}/${service} is in another namespace`);
    else if (state !== "missing" && !group.endsWith(`:${port}`)) {
      note(`backend ${service} at another port than ${port}`);
    }
  }
}
