/**
 * What is wrong or surprising about a split's backends, said once a backend and not once a port.
 */
import { type BackendReadiness, carriesHttp } from "../plan.ts";
import type { FindingCode } from "../../base/finding.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import { type BackendShare, backendShares, planBackend, type ServiceLookup } from "./backends.ts";
import { keyOf } from "./keys.ts";
import type { ResolvedPort, ResolvedService } from "./endpoints.ts";
import { type Findings, plainList, quoted } from "./findings.ts";
import { portProtocol } from "./port_protocol.ts";

interface BackendCheck {
  readonly split: TrafficSplit;
  readonly root: ResolvedService;
  readonly lookup: ServiceLookup;
  /** Whether a Service, by `namespace/name`, is some split's root. */
  readonly isRoot: (key: string) => boolean;
  /** Whether a Service, by `namespace/name`, cannot be read, which is reported. */
  readonly isRefused: (key: string) => boolean;
  /** False: none of the split's rules made it into the plan, so no request is lost by it. */
  readonly isUsed: boolean;
  readonly findings: Findings;
}

export function checkBackends(check: BackendCheck): void {
  const { split, root, lookup } = check;
  const shares = backendShares(split, lookup.clusterDomain);
  const ports = root.ports.filter(({ port }) =>
    split.matches === undefined || carriesHttp(portProtocol(port))
  );
  const used = shares.filter(({ weight }) => weight > 0);
  const isAllZero = used.length === 0;
  const alive = alivePorts(used, ports, check);
  if (isAllZero && check.isUsed) reportAllZero(check);
  for (const share of shares) {
    reportRepeats(share, check);
    reportOtherRole(share, check);
    reportState(share, ports, alive, check);
  }
  if (!isAllZero && check.isUsed) reportNoneLeft(used, ports, alive, check);
}

function reportAllZero({ split, root, findings }: BackendCheck): void {
  findings.add({
    code: "weights-all-zero",
    meta: split.meta,
    path: ["spec", "backends"],
    message:
      `Every weight of split ${quoted(split.meta.name)} is zero, so its requests go to all ` +
      `endpoints of ${quoted(root.service.meta.name)} itself`,
    hint: "Give at least one backend a weight above zero",
  });
}

function reportRepeats({ repeats, weight }: BackendShare, { split, findings }: BackendCheck): void {
  for (const { service, at } of repeats) {
    findings.add({
      code: "backend-duplicate",
      meta: split.meta,
      path: [...at, "service"],
      message: `Backend ${quoted(service)} is named twice; its weights add up to ${weight}`,
      hint: "Name the backend once, with the weight that is meant",
    });
  }
}

/** Splits are not hierarchical: a backend is a plain Service, whatever else it is. */
function reportOtherRole(share: BackendShare, check: BackendCheck): void {
  const { split, root, isRoot, findings } = check;
  const { first: { at, service }, namespace, name } = share;
  const meta = split.meta;
  const path = [...at, "service"];
  const rootMeta = root.service.meta;
  if (namespace === rootMeta.namespace && name === rootMeta.name) {
    findings.add({
      code: "backend-is-root",
      meta,
      path,
      message: `Backend ${quoted(service)} is the split's own root: its share goes to all ` +
        "endpoints that the root selects and is not split again",
      hint: "Name a Service that selects one version only, unless this is meant",
    });
  } else if (!share.isForeign && isRoot(keyOf(namespace, name))) {
    findings.add({
      code: "backend-is-split",
      meta,
      path,
      message: `Backend ${quoted(service)} is the root of another split, which does not apply here`,
      hint: "List the backends of that split here, if their shares are meant",
    });
  }
}

const STATE_CODES = {
  "missing": "backend-missing",
  "foreign": "backend-foreign",
  "no-port": "backend-port-missing",
  "no-endpoints": "backend-no-endpoints",
} as const satisfies Record<Exclude<BackendReadiness, "ready">, FindingCode>;

function reportState(
  share: BackendShare,
  ports: readonly ResolvedPort[],
  alive: ReadonlySet<number>,
  check: BackendCheck,
): void {
  const { split, root, lookup, isRefused, findings } = check;
  if (isRefused(keyOf(share.namespace, share.name))) return;
  const portsByState = new Map<BackendReadiness, number[]>();
  for (const { port: { port } } of ports) {
    const { state } = planBackend(share, port, root, lookup);
    portsByState.set(state, [...portsByState.get(state) ?? [], port]);
  }
  for (const [state, numbers] of portsByState) {
    if (state === "ready") continue;
    findings.add({
      code: STATE_CODES[state],
      meta: split.meta,
      path: [...share.first.at, "service"],
      ...describeState(
        state,
        share,
        numbers,
        effectOf(share, numbers.some((port) => alive.has(port))),
        root.service.meta.name,
      ),
      // A release often names the next version before it exists, with no share of the requests.
      ...(share.weight === 0 && { severity: "info" as const }),
    });
  }
}

function effectOf({ weight }: BackendShare, isAnyLeft: boolean): string {
  if (weight === 0) return "its weight is zero, so nothing is lost";
  return isAnyLeft ? "its share goes to the other backends" : "no other backend is left";
}

function describeState(
  state: Exclude<BackendReadiness, "ready">,
  { first, namespace, name }: BackendShare,
  ports: readonly number[],
  effect: string,
  rootName: string,
): { readonly message: string; readonly hint: string } {
  const onPorts = `port${ports.length === 1 ? "" : "s"} ${plainList(ports)}`;
  switch (state) {
    case "missing":
      return {
        message: `There is no Service ${quoted(name)} in namespace ${quoted(namespace)}; ${effect}`,
        hint: "Create the Service, or correct the backend's name",
      };
    case "foreign":
      return {
        message: `Backend ${
          quoted(first.service)
        } is in another namespace than the split; ${effect}`,
        hint: "Name a Service of the split's own namespace",
      };
    case "no-port":
      return {
        message: `Service ${quoted(name)} has no TCP ${onPorts}, which root ${quoted(rootName)} ` +
          `has; there, ${effect}`,
        hint: "Give the backend the root's port number; its targetPort may differ",
      };
    case "no-endpoints":
      return {
        message: `Service ${quoted(name)} has no ready endpoint for ${onPorts}; ${effect}`,
        hint: "Start a pod that the Service's selector picks, or set the weight to zero",
      };
  }
}

/** The ports on which a backend with a share can take requests. */
function alivePorts(
  used: readonly BackendShare[],
  ports: readonly ResolvedPort[],
  { root, lookup }: BackendCheck,
): ReadonlySet<number> {
  const numbers = ports.map(({ port }) => port.port);
  return new Set(
    numbers.filter((port) =>
      used.some((share) => planBackend(share, port, root, lookup).state === "ready")
    ),
  );
}

function reportNoneLeft(
  used: readonly BackendShare[],
  ports: readonly ResolvedPort[],
  alive: ReadonlySet<number>,
  { split, isRefused, findings }: BackendCheck,
): void {
  if (used.some(({ namespace, name }) => isRefused(keyOf(namespace, name)))) return;
  const dead = ports.map(({ port }) => port.port).filter((port) => !alive.has(port));
  if (dead.length === 0) return;
  findings.add({
    code: "split-no-backend",
    meta: split.meta,
    path: ["spec", "backends"],
    message: `No backend of split ${quoted(split.meta.name)} can take a request on port ` +
      `${plainList(dead)}: such requests get 503, not the root's own endpoints`,
    hint: "Bring up one of the backends, or delete the split",
  });
}
