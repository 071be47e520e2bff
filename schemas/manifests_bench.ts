/**
 * Time to load 2,000 objects: `deno bench --allow-read schemas/`.
 */
import { parseManifests } from "./manifests.ts";

function service(index: number) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `service-${index}`, namespace: "app" },
    spec: { ports: [{ name: "http", port: 8080, targetPort: 8080 }], selector: { app: "web" } },
  };
}

function split(index: number): string {
  return `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata:
  name: split-${index}
spec:
  service: service-${index}
  backends:
  - service: a-${index}
    weight: 75
  - service: b-${index}
    weight: 25
`;
}

const COUNT = 2_000;
const SPLITS = Array.from({ length: COUNT }, (_, index) => split(index)).join("---\n");
const LIST = JSON.stringify(
  {
    apiVersion: "v1",
    kind: "List",
    items: Array.from({ length: COUNT }, (_, index) => service(index)),
  },
  null,
  4,
);

Deno.bench("2,000 TrafficSplits in YAML", () => {
  parseManifests([{ name: "f.yaml", text: SPLITS }]);
});

Deno.bench("2,000 Services in a JSON List", () => {
  parseManifests([{ name: "f.json", text: LIST }]);
});
