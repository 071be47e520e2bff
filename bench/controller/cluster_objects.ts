/** What a large cluster has: its objects as the API server takes them. Pure. */

/** Of all of them. */
export const CLUSTER_NAMESPACE = "shop";

export const CLUSTER_ENDPOINTS = 10;

/** Pods of a node: the kubelet's limit is 110. */
const NODE_PODS = 100;

type ApiObject = Readonly<Record<string, unknown>>;

export const serviceName = (service: number) => `service-${service}`;
export const podName = (service: number, endpoint: number) => `service-${service}-${endpoint}`;

export function clusterNode(index: number): ApiObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: `node-${index}` },
    status: { nodeInfo: { kubeletVersion: "v1.36.3" } },
  };
}

export function clusterService(service: number): ApiObject {
  const name = serviceName(service);
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: { app: name } },
    spec: { selector: { app: name }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  };
}

/** @param missing the endpoint that is not there; left out: all are */
export function clusterSlice(service: number, missing = -1): ApiObject {
  const endpoints = Array.from({ length: CLUSTER_ENDPOINTS }, (_, i) => ({
    addresses: [podAddress(service, i)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: nodeOf(service, i),
    targetRef: { kind: "Pod", name: podName(service, i), namespace: CLUSTER_NAMESPACE },
  }));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    addressType: "IPv4",
    metadata: {
      name: sliceName(service),
      labels: {
        "kubernetes.io/service-name": serviceName(service),
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
      },
    },
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: endpoints.filter((_, i) => i !== missing),
  };
}

export const sliceName = (service: number) => `service-${service}-a`;

/** As injection makes it of what a Deployment makes, with the fields that take most room. */
export function clusterPod(
  service: number,
  endpoint: number,
  { name = podName(service, endpoint), isInjected = true } = {},
): ApiObject {
  const app = serviceName(service);
  const env = Array.from({ length: 12 }, (_, i) => ({
    name: `SETTING_${i}`,
    value: `a value as settings have them, number ${i}`,
  }));
  const resources = {
    requests: { cpu: "100m", memory: "128Mi" },
    limits: { cpu: "1", memory: "512Mi" },
  };
  const probe = { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 10 };
  const mounts = [{ name: "config", mountPath: "/etc/app" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      labels: { app, "pod-template-hash": "5d4f8c7b9" },
      annotations: isInjected ? { "weft.dev/status": "injected" } : {},
      ownerReferences: [{
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: `${app}-5d4f8c7b9`,
        uid: "00000000-0000-4000-8000-000000000000",
        controller: true,
      }],
    },
    spec: {
      nodeName: nodeOf(service, endpoint),
      serviceAccountName: "default",
      initContainers: !isInjected ? [] : [
        { name: "weft-init", image: "weft:bench", args: ["proxy-init"] },
        { name: "weft-proxy", image: "weft:bench", restartPolicy: "Always", resources },
      ],
      containers: [{
        name: "app",
        image: "registry.example/shop/app:1.0",
        ports: [{ name: "http", containerPort: 8080 }],
        env,
        resources,
        livenessProbe: probe,
        readinessProbe: probe,
        volumeMounts: mounts,
      }],
      volumes: [{ name: "config", configMap: { name: "config" } }],
    },
  };
}

/** As a kubelet reports it. */
export function podStatus(service: number, endpoint: number, isReady = true): ApiObject {
  const ready = isReady ? "True" : "False";
  const address = podAddress(service, endpoint);
  return {
    phase: "Running",
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      { type: "PodScheduled", status: "True" },
      { type: "Initialized", status: "True" },
      { type: "ContainersReady", status: ready },
      { type: "Ready", status: ready },
    ],
  };
}

/** Of the Service at `2 * index`, between itself and the next one. */
export function clusterSplit(index: number, weight: number): ApiObject {
  return {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: splitName(index) },
    spec: {
      service: serviceName(2 * index),
      backends: [
        { service: serviceName(2 * index), weight: 1_000 - weight },
        { service: serviceName(2 * index + 1), weight },
      ],
    },
  };
}

export const splitName = (index: number) => `split-${index}`;

export function nodeCount(services: number): number {
  return Math.ceil(services * CLUSTER_ENDPOINTS / NODE_PODS);
}

function nodeOf(service: number, endpoint: number): string {
  return `node-${Math.floor((service * CLUSTER_ENDPOINTS + endpoint) / NODE_PODS)}`;
}

function podAddress(service: number, endpoint: number): string {
  return `10.${endpoint + 1}.${service >> 8}.${service & 255}`;
}
