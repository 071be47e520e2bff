/**
 * Finding: what Weft has to tell a person about their input. A Finding is a value, never thrown; all of them
 * are reported at once, and the plan stays usable whatever they say.
 *
 * This file owns the list of codes. A code is stable once released: tests and tools match on it, never on
 * the message.
 */

/** `error`: the resource does not do what it says. `warning`: it does, but likely not what was meant. */
export type Severity = "error" | "warning" | "info";

/** A place in a file. Lines and columns count from 1; columns count UTF-16 code units. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Names one Kubernetes object. `namespace` is empty for cluster-scoped kinds. */
export interface ResourceRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Keys and indexes from the top of a resource, for example `["spec", "backends", 1, "weight"]`. */
export type FieldPath = readonly (string | number)[];

/** Every code there is, with its severity and, in one line, what it means (`docs/findings.md` is made of this). */
export const FINDING_CODES = {
  // Reading input (schemas/).
  "source-unreadable": ["error", "A file or directory could not be read"],
  "yaml-syntax": ["error", "A document is not YAML or JSON that kubectl would accept"],
  "template-unrendered": [
    "error",
    "A file is part of a Helm chart: only what Helm makes of it can be read",
  ],
  "kustomization-not-built": [
    "warning",
    "A kustomization is among the files: they are read without what it changes",
  ],
  "limit-exceeded": ["error", "Input is larger, deeper or more numerous than the stated limits"],
  "document-invalid": [
    "error",
    "A document is not a Kubernetes object (apiVersion, kind, metadata.name)",
  ],
  "kind-unknown": ["info", "A kind that Weft does not read was passed over"],
  "kind-misspelt": ["error", "A kind that its API group does not have; the object is left out"],
  "version-unsupported": [
    "error",
    "A kind that Weft reads has a version or an API group that it does not; the object is left out",
  ],
  "schema-invalid": [
    "error",
    "A field is missing, of the wrong type or not one of the allowed values",
  ],
  "field-unknown": ["error", "A field that the kind does not have; its object is left out"],
  "field-misspelt": [
    "warning",
    "A field that looks misspelt, of a kind of Kubernetes' own or of weft.local.yaml, was passed over",
  ],
  "field-empty": ["warning", "A field has no value and counts as left out: it restricts nothing"],
  "layout-legacy": ["warning", "A field stands where an older version of the kind had it"],
  "resource-duplicate": ["warning", "The same object appears twice; the last one counts"],
  "weight-negative": ["error", "A weight is below zero and counts as zero"],
  // Splits (routing/compile).
  "split-root-missing": ["error", "A split's root Service does not exist"],
  "split-root-foreign": ["error", "A split's root Service is named in another namespace"],
  "split-conflict": ["warning", "Two splits without matches have one root; the oldest counts"],
  "split-tcp-matches": ["warning", "A split with HTTP matches does not apply to a TCP port"],
  "split-no-backend": ["error", "No backend of a split can take a request: 503"],
  "backends-empty": ["error", "A split, or a rule of a route, has no backends"],
  "backend-duplicate": ["error", "A split names a backend twice; the weights are added"],
  "backend-missing": [
    "warning",
    "A backend Service does not exist; in a split its share goes to the others, of a route it gets 500",
  ],
  "backend-port-missing": [
    "warning",
    "A backend Service lacks a port of the root, or the port that a route names",
  ],
  "backend-no-endpoints": [
    "warning",
    "A backend has no endpoints; in a split its share goes to the others, of a route it gets 503",
  ],
  "backend-foreign": [
    "warning",
    "A backend is named in another namespace, by a split or without a ReferenceGrant, and is not used",
  ],
  "backend-is-root": ["info", "A backend is the root itself: its own endpoints, not split again"],
  "backend-is-split": ["info", "A backend is another split's root: splits are not followed"],
  "weights-all-zero": [
    "warning",
    "All weights are zero: the root Service's own endpoints are used",
  ],
  "unmatched-reaches-backends": [
    "warning",
    "Requests that no rule matches go to the root, whose selector covers the backends' pods",
  ],
  "requests-uncovered": [
    "info",
    "Requests that no rule takes go to the root Service's own endpoints",
  ],
  // Routes (routing/compile).
  "route-group-missing": [
    "warning",
    "A route group that is named does not exist; it matches nothing",
  ],
  "route-group-empty": ["warning", "A route group has no matches; it matches nothing"],
  "route-group-unused": ["info", "No split and no target names this route group"],
  "match-kind-unsupported": [
    "warning",
    "A split's match is not of kind HTTPRouteGroup; it matches nothing",
  ],
  "match-name-duplicate": ["warning", "Two matches of one route group have the same name"],
  "pattern-invalid": ["error", "A pattern is not a regular expression; its match is left out"],
  "pattern-unsupported": [
    "error",
    "A pattern is outside the linear-time subset; its match is left out",
  ],
  "pattern-too-large": [
    "error",
    "A pattern is larger than the stated limit; its match is left out",
  ],
  "pattern-never-matches": [
    "warning",
    "A path pattern matches no path: paths begin with a slash",
  ],
  "rule-shadowed": [
    "warning",
    "A rule can never match: rules before it take every request it could",
  ],
  "rule-conflict": [
    "warning",
    "Two splits have the same rule and different backends; the oldest counts",
  ],
  // Routes of the Gateway API (routing/compile).
  "route-parent-missing": [
    "error",
    "A route's parent Service, or the port of it that is named, does not exist",
  ],
  "route-not-http": ["warning", "An HTTPRoute or GRPCRoute is of a port that does not speak HTTP"],
  "route-hostnames-ignored": ["warning", "A route's host names say nothing of a Service"],
  "route-unsupported": [
    "error",
    "A rule of a route asks for what Weft does not do; its requests get 500",
  ],
  "route-conflict": ["warning", "Two TCPRoutes speak for one port; the oldest counts"],
  "route-split-mixed": [
    "warning",
    "A Service has a split and a route of the Gateway API; there the split does not count",
  ],
  // Services and workloads (routing/compile).
  "alias-endless": ["error", "ExternalName Services lead to each other without end"],
  "selector-matches-nothing": ["warning", "A Service's selector matches no workload in the input"],
  "endpoints-no-address": [
    "warning",
    "The endpoints of a Service have no addresses, so a proxy cannot reach them",
  ],
  "target-port-unresolved": ["warning", "A named targetPort is not a port of a selected pod"],
  "workload-bypasses-mesh": [
    "warning",
    "A container runs as the sidecar's user or group: what it sends is not captured",
  ],
  "workload-host-network": [
    "info",
    "A workload uses its node's network, where no sidecar can be: what it sends goes past the mesh",
  ],
  "affinity-timeout-ignored": [
    "info",
    "A Service's session affinity ends with its endpoints, not after a time",
  ],
  // Policies (routing/compile).
  "policy-target-missing": ["warning", "A policy's target does not exist; it has no effect there"],
  "policy-target-kind-unsupported": [
    "warning",
    "A policy is attached to a kind that Weft does not know; it has no effect there",
  ],
  "policy-conflict": [
    "warning",
    "Two policies have the same section and target; the oldest counts",
  ],
  "policy-empty": ["info", "A policy asks for nothing"],
  "policy-section-unsupported": [
    "warning",
    "A policy's section is about endpoints and has no effect on a match",
  ],
  "policy-not-http": [
    "warning",
    "A policy's section is about HTTP and has no effect on the ports of its target",
  ],
  "policy-match-unused": ["warning", "A policy's match is in no rule of a split; it has no effect"],
  "policy-mirror-unavailable": [
    "warning",
    "A policy's mirror cannot take requests; none are copied",
  ],
  // Access (routing/compile).
  "target-ignored": ["info", "Permissive mode is on: traffic targets are not enforced"],
  "target-kind-unsupported": [
    "warning",
    "A target names a kind that Weft does not know; it allows nothing",
  ],
  "target-account-unused": [
    "warning",
    "No pod runs as the account that a target's destination, or each of its sources, names; it allows nothing",
  ],
  "target-foreign": [
    "warning",
    "A target's destination is in another namespace; it allows nothing",
  ],
  "target-not-enforced": ["warning", "A target's destination is where no sidecar can enforce it"],
  "target-route-missing": ["warning", "A target's rule names a route or match that does not exist"],
  "egress-ignored": ["info", "Egress is on: what an Egress allows is passed on without it"],
  "egress-kind-unsupported": [
    "warning",
    "An Egress names a kind that Weft does not know; it allows nothing by that",
  ],
  "egress-route-missing": [
    "warning",
    "An Egress names a route group that does not exist; it allows nothing by that",
  ],
  "egress-account-unused": ["warning", "No pod runs as a source of an Egress"],
  "egress-port-blind": [
    "warning",
    "What is spoken at a port of an Egress does not show what the Egress asks for; the port allows nothing",
  ],
  "ingress-kind-unsupported": [
    "warning",
    "An IngressBackend names a kind that Weft does not know; it lets no one in by that",
  ],
  "ingress-backend-missing": [
    "warning",
    "An IngressBackend names a Service, or a port of its pods, that does not exist; it opens nothing by that",
  ],
  "ingress-source-missing": [
    "warning",
    "An IngressBackend names a Service as a source that is not in the mesh; it lets no one in by that",
  ],
  "ingress-principal-unsupported": [
    "warning",
    "A principal of an IngressBackend is no service account; it lets no one in by that",
  ],
  "ingress-route-missing": [
    "warning",
    "An IngressBackend names a route group that does not exist; it lets no one in by that",
  ],
  "ingress-port-blind": [
    "warning",
    "What is spoken at a port of an IngressBackend does not show what it asks for; the port lets no one in",
  ],
  // Sidecars (controller/inject).
  "sidecar-refused": ["error", "A pod that cannot start as it is: what it asks for cannot be read"],
  "sidecar-left-out": ["warning", "A pod cannot have a sidecar; what it sends goes past the mesh"],
  "sidecar-opted-out": ["info", "A pod is asked for no sidecar"],
  "sidecar-missing": [
    "warning",
    "Pods of the mesh have no sidecar, though nothing speaks against one: they are older than it",
  ],
  "sidecar-notice": ["warning", "A pod gets a sidecar, and something that its owner should know"],
  "mtls-mode-invalid": [
    "error",
    "A namespace does not say whether callers may do without mutual TLS so that it can be read; they may not",
  ],
  // Settings of a mesh (controller).
  "mesh-config-invalid": [
    "error",
    "A value of the MeshConfig cannot be used; the last good one stays",
  ],
  "root-unusable": [
    "error",
    "A MeshRootCertificate cannot be read, or nothing can be signed under it",
  ],
  // Running (cli, proxy).
  "plan-restored": ["warning", "A plan that was saved earlier is served: its source gives none"],
  "plan-not-saved": ["warning", "The plan in force could not be saved for the next start"],
} as const satisfies Record<string, readonly [Severity, string]>;

export type FindingCode = keyof typeof FINDING_CODES;

export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** Sentence case, no final period, quoted values. */
  readonly message: string;
  /** The way out: what to change. */
  readonly hint: string;
  readonly resource?: ResourceRef;
  /** As a person writes it: `spec.backends[1].weight`. */
  readonly field?: string;
  readonly position?: Position;
}

/** Renders a field path as a person writes it: `spec.backends[1].weight`. */
export function formatFieldPath(path: FieldPath): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? key : `.${key}`;
  }
  return text;
}

/** Renders a reference as `Kind namespace/name`. */
export function formatRef(ref: ResourceRef): string {
  return ref.namespace === ""
    ? `${ref.kind} ${ref.name}`
    : `${ref.kind} ${ref.namespace}/${ref.name}`;
}

/** Renders a position as `file:line:column`. */
export function formatPosition(position: Position): string {
  return `${position.file}:${position.line}:${position.column}`;
}
