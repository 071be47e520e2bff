/** What the mesh of a test has on an API server, as documents of YAML: a namespace `app` in the mesh, Services in it, and their endpoints. */

export const APP_NAMESPACE = `---
apiVersion: v1
kind: Namespace
metadata: {name: app, labels: {weft.dev/monitored-by: weft}}
`;

/** `NAME.app:80`. */
export function serviceManifest(name: string): string {
  return `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: app}
spec: {ports: [{name: http, port: 80}]}
`;
}

/** The one endpoint of that Service. */
export function endpointsManifest(name: string, port = 80, address = "192.0.2.1"): string {
  return `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
metadata: {name: ${name}, namespace: app, labels: {kubernetes.io/service-name: ${name}}}
ports: [{name: http, port: ${port}}]
endpoints: [{addresses: [${address}]}]
`;
}
