/** The objects of an installation, from its values: plain data, in the order in which they are applied. Pure. */
import { stringify } from "yaml";
import { wordsOfList } from "../../base/capture_lists.ts";
import { VERSION } from "../../base/version.ts";
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import type { KeyPair } from "../certificates.ts";
import { fieldsOf, type JsonFields } from "../kube/fields.ts";
import { CONTROLLER_RULES, NAMESPACE_RULES, READER_RULES, rulesOf, WRITER_RULES } from "./rbac.ts";
import type { InstallValues } from "./values.ts";

/** An object as it is applied. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export const CONTROLLER = "weft-controller";
/** The controller's certificate, its key, and the authority's certificate. */
export const TLS_SECRET = "weft-controller-tls";
/** The authority's certificate and key; no pod mounts it. */
export const CA_SECRET = "weft-ca";
export const INJECTION_CONFIG = "weft-injection";
export const INJECTION_KEY = "settings.json";
/** What the installation was given, for the next upgrade. */
export const VALUES_CONFIG = "weft-values";
export const VALUES_KEY = "values.yaml";
/** The mesh that a controller is of. */
export const MESH_LABEL = "weft.dev/mesh";

const RBAC_VERSION = "rbac.authorization.k8s.io/v1";
const STREAM_PORT = 15080;
const WEBHOOK_PORT = 9443;
export const ADMIN_PORT = 15000;
/** The port of the controller's Service by which `weft status` and canary controllers ask. */
export const ADMIN = "admin";

/** What the controller's certificate is for. */
export function controllerNames({ namespace, clusterDomain }: InstallValues): string[] {
  const name = `${CONTROLLER}.${namespace}`;
  return [`${name}.svc`, name, `${name}.svc.${clusterDomain}`];
}

export interface InstallKeys {
  readonly authority: KeyPair;
  readonly controller: KeyPair;
}

const NAME_LABEL = "app.kubernetes.io/name";
/** What every object of an installation has; not who has installed it, which tools write there themselves. */
export const OWN_LABEL = `${NAME_LABEL}=weft`;

export function labelsOf(component: string): Record<string, string> {
  return {
    "app.kubernetes.io/component": component,
    "app.kubernetes.io/managed-by": "weft",
    [NAME_LABEL]: "weft",
    "app.kubernetes.io/version": VERSION,
  };
}

/** Whether an object that was found is of an installation of Weft. */
export function isOurs(found: JsonFields): boolean {
  return fieldsOf(fieldsOf(found["metadata"])["labels"])[NAME_LABEL] === "weft";
}

/** What no longer counts once it is gone, and so is asked about first. */
export function namespaceObject({ namespace }: InstallValues): ApiObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: meta(namespace, "mesh") };
}

/** Everything but the namespace, the definitions and the webhooks, which come last: one of them refuses pods while no controller answers. */
export function controlPlane(values: InstallValues, keys: InstallKeys): ApiObject[] {
  const settings = { ...values.injection, controllerCa: keys.authority.cert };
  const { namespace } = values;
  const own = (name: string) => ({ ...meta(name, "controller"), namespace });
  const secret = (name: string, type: string, texts: Readonly<Record<string, string>>) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: own(name),
    type,
    data: base64Of(texts),
  });
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: own(CONTROLLER) },
    role(CONTROLLER, {}, rulesOf(CONTROLLER_RULES)),
    role("weft-view", { "rbac.authorization.k8s.io/aggregate-to-view": "true" }, READER_RULES),
    role("weft-edit", {
      "rbac.authorization.k8s.io/aggregate-to-edit": "true",
      "rbac.authorization.k8s.io/aggregate-to-admin": "true",
    }, WRITER_RULES),
    {
      apiVersion: RBAC_VERSION,
      kind: "ClusterRoleBinding",
      metadata: meta(CONTROLLER, "controller"),
      ...bound("ClusterRole", namespace),
    },
    {
      apiVersion: RBAC_VERSION,
      kind: "Role",
      metadata: own(CONTROLLER),
      rules: rulesOf(NAMESPACE_RULES),
    },
    {
      apiVersion: RBAC_VERSION,
      kind: "RoleBinding",
      metadata: own(CONTROLLER),
      ...bound("Role", namespace),
    },
    secret(CA_SECRET, "Opaque", { "ca.crt": keys.authority.cert, "ca.key": keys.authority.key }),
    secret(TLS_SECRET, "kubernetes.io/tls", {
      "ca.crt": keys.authority.cert,
      "tls.crt": keys.controller.cert,
      "tls.key": keys.controller.key,
    }),
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: own(INJECTION_CONFIG),
      data: { [INJECTION_KEY]: `${JSON.stringify(settings, null, 2)}\n` },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: own(VALUES_CONFIG),
      data: { [VALUES_KEY]: stringify(values.given) },
    },
    { apiVersion: "v1", kind: "Service", metadata: own(CONTROLLER), spec: serviceSpec() },
    deployment(values, own(CONTROLLER)),
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: own(CONTROLLER),
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: CONTROLLER } } },
    },
  ];
}

function meta(name: string, component: string): ApiObject["metadata"] {
  return { name, labels: labelsOf(component) };
}

function role(name: string, labels: Record<string, string>, rules: unknown): ApiObject {
  const metadata = { name, labels: { ...labelsOf("controller"), ...labels } };
  return { apiVersion: RBAC_VERSION, kind: "ClusterRole", metadata, rules };
}

/** Gives a role of the controller's name to its account. */
function bound(kind: string, namespace: string): Record<string, unknown> {
  return {
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: CONTROLLER },
    subjects: [{ kind: "ServiceAccount", name: CONTROLLER, namespace }],
  };
}

function base64Of(texts: Readonly<Record<string, string>>): Record<string, string> {
  const encoder = new TextEncoder();
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, encoder.encode(text).toBase64()]),
  );
}

function serviceSpec(): unknown {
  return {
    selector: { app: CONTROLLER },
    ports: [
      { name: "stream", port: STREAM_PORT, targetPort: "stream", protocol: "TCP" },
      { name: "webhook", port: 443, targetPort: "webhook", protocol: "TCP" },
      { name: ADMIN, port: ADMIN_PORT, targetPort: "admin", protocol: "TCP" },
    ],
  };
}

function deployment(values: InstallValues, metadata: ApiObject["metadata"]): ApiObject {
  const { replicaCount, injection } = values;
  const labels = { ...labelsOf("controller"), app: CONTROLLER, [MESH_LABEL]: injection.meshName };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { ...metadata, labels },
    spec: {
      replicas: replicaCount,
      selector: { matchLabels: { app: CONTROLLER } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels }, spec: podSpec(values) },
    },
  };
}

function podSpec(values: InstallValues): unknown {
  const pullSecrets = wordsOfList(values.injection.imagePullSecrets).map((name) => ({ name }));
  return {
    serviceAccountName: CONTROLLER,
    priorityClassName: "system-cluster-critical",
    securityContext: {
      runAsNonRoot: true,
      // Not the sidecars' user: what runs as that goes past any capture.
      runAsUser: PROXY_USER_ID + 1,
      runAsGroup: PROXY_USER_ID + 1,
      fsGroup: PROXY_USER_ID + 1,
      seccompProfile: { type: "RuntimeDefault" },
    },
    affinity: { podAntiAffinity: spread() },
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
    containers: [controllerContainer(values)],
    volumes: [
      { name: "tls", secret: { secretName: TLS_SECRET, defaultMode: 0o440 } },
      { name: "injection", configMap: { name: INJECTION_CONFIG } },
    ],
  };
}

/** Replicas on nodes of their own, where there are as many. */
function spread(): unknown {
  const labelSelector = { matchLabels: { app: CONTROLLER } };
  const podAffinityTerm = { labelSelector, topologyKey: "kubernetes.io/hostname" };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm }] };
}

function controllerContainer(values: InstallValues): unknown {
  const { injection, controllerLogLevel, permissive, egress, clusterDomain } = values;
  return {
    name: "controller",
    image: injection.image,
    imagePullPolicy: injection.imagePullPolicy,
    args: [
      "controller",
      `--stream=0.0.0.0:${STREAM_PORT}`,
      `--webhook=0.0.0.0:${WEBHOOK_PORT}`,
      `--admin=0.0.0.0:${ADMIN_PORT}`,
      "--tls-cert=/etc/weft/tls/tls.crt",
      "--tls-key=/etc/weft/tls/tls.key",
      `--injection=/etc/weft/injection/${INJECTION_KEY}`,
      `--mesh-name=${injection.meshName}`,
      `--cluster-domain=${clusterDomain}`,
      `--trust-domain=${injection.trustDomain}`,
      `--log-level=${controllerLogLevel}`,
      ...(permissive ? [] : ["--enforce-access"]),
      ...(egress ? [] : ["--egress=off"]),
    ],
    ports: [
      { name: "stream", containerPort: STREAM_PORT, protocol: "TCP" },
      { name: "webhook", containerPort: WEBHOOK_PORT, protocol: "TCP" },
      { name: "admin", containerPort: ADMIN_PORT, protocol: "TCP" },
    ],
    // A start reads the whole cluster; what lives but does not serve yet must not be ended for it.
    readinessProbe: { ...probe("/readyz"), periodSeconds: 2, failureThreshold: 3 },
    livenessProbe: {
      ...probe("/healthz"),
      initialDelaySeconds: 10,
      periodSeconds: 10,
      failureThreshold: 6,
    },
    resources: {
      requests: { cpu: values.controllerCpuRequest, memory: values.controllerMemoryRequest },
      limits: { memory: values.controllerMemoryLimit },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [
      { name: "tls", mountPath: "/etc/weft/tls", readOnly: true },
      { name: "injection", mountPath: "/etc/weft/injection", readOnly: true },
    ],
  };
}

function probe(path: string): { httpGet: unknown; timeoutSeconds: number } {
  return { httpGet: { path, port: "admin", scheme: "HTTP" }, timeoutSeconds: 5 };
}
