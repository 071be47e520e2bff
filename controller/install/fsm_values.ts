/** Values of FSM's chart that Weft has no use for: a person who brings them is told why, or they change nothing. */

/** What Weft always does, by key: another value would not be kept. */
const FIXED: Readonly<Record<string, { readonly value: string; readonly why: string }>> = {
  "enforceSingleMesh": { value: "true", why: "a cluster has one installation of Weft" },
  "trafficInterceptionMode": { value: "PodLevel", why: "each pod has its own sidecar" },
  "http2PerRequestLoadBalancing": { value: "true", why: "every request is balanced by itself" },
  "http1PerRequestLoadBalancing": { value: "true", why: "every request is balanced by itself" },
  "sidecar.holdApplicationUntilProxyStarts": { value: "true", why: "no request may get by it" },
  "enablePodDisruptionBudget": { value: "true", why: "controllers always have one" },
};

const ABSENT: readonly (readonly [prefix: RegExp, instead: string])[] = [
  [/^deploy(Prometheus|Grafana|Jaeger)$/, "Weft brings none: see docs/observability.md"],
  [/^(prometheus|grafana)\./, "Weft brings none: see docs/observability.md"],
  [
    /^tracing\./,
    "give sidecar.tracingEndpoint, the URL of a collector of OTLP, and sidecar.traceSample",
  ],
  [/^(certificateProvider|vault|certmanager|caBundleSecretName)\b/, "Weft makes its own"],
  [/^(fsm|osm)Namespace$/, "give -n NAMESPACE"],
  [/^(fsmIngress|fsmGateway|egressGateway|serviceLB|flb)\./, "Weft has none"],
  [/^(injector|fsmBootstrap)\./, "the controller does its work: replicaCount"],
];

/** Why a key of FSM cannot have this value here; null: it has it anyhow, undefined: it is no such key. */
export function fsmAbsence(key: string, value: string): string | null | undefined {
  const fixed = Object.hasOwn(FIXED, key) ? FIXED[key] : undefined;
  if (fixed !== undefined) {
    return value === fixed.value ? null : `"${key}" is always ${fixed.value}: ${fixed.why}`;
  }
  const absent = ABSENT.find(([prefix]) => prefix.test(key));
  return absent && `"${key}" is no value of Weft: ${absent[1]}`;
}
