/**
 * What the API server asks the controller: about pods, which it injects, and about objects of the mesh, which it checks. Applied once the
 * controller serves.
 */
import { MEMBER_LABEL } from "../objects.ts";
import { type ApiObject, CONTROLLER, type InstallKeys, labelsOf } from "./objects.ts";
import { MESH_KINDS } from "./rbac.ts";
import type { InstallValues } from "./values.ts";

/** Every field that it would fill in stands here, so that tools which compare see no drift. */
export function webhooks(
  { injection, namespace }: InstallValues,
  { authority }: InstallKeys,
): ApiObject[] {
  const caBundle = new TextEncoder().encode(authority.cert).toBase64();
  const optOut = { key: "weft.dev/inject", operator: "NotIn", values: ["false"] };
  const members = [
    { key: MEMBER_LABEL, operator: "In", values: [injection.meshName] },
    {
      key: "kubernetes.io/metadata.name",
      operator: "NotIn",
      values: ["kube-system", namespace],
    },
  ];
  const webhook = (name: string, path: string, more: object) => ({
    name,
    admissionReviewVersions: ["v1"],
    clientConfig: {
      caBundle,
      service: { name: CONTROLLER, namespace, path, port: 443 },
    },
    matchPolicy: "Equivalent",
    sideEffects: "None",
    timeoutSeconds: 5,
    ...more,
  });
  const written = (kind: Pick<(typeof MESH_KINDS)[number], "apiGroups" | "resources">) => ({
    ...kind,
    apiVersions: ["*"],
    operations: ["CREATE", "UPDATE"],
    scope: "Namespaced",
  });
  // Without an answer objects are written as they are: the compiler reads them too, and a rollback must not wait for a mesh.
  const ofMembers = {
    failurePolicy: "Ignore",
    namespaceSelector: { matchExpressions: members },
    objectSelector: {},
  };
  const splits = MESH_KINDS.filter(({ resources }) => resources.includes("trafficsplits"));
  const apiVersion = "admissionregistration.k8s.io/v1";
  return [{
    apiVersion,
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "weft-injector", labels: labelsOf("injector") },
    webhooks: [
      webhook("inject.weft.dev", "/mutate", {
        failurePolicy: "Fail",
        namespaceSelector: { matchExpressions: [...members, optOut] },
        objectSelector: { matchExpressions: [optOut] },
        reinvocationPolicy: "IfNeeded",
        rules: [{
          apiGroups: [""],
          apiVersions: ["v1"],
          operations: ["CREATE"],
          resources: ["pods"],
          scope: "Namespaced",
        }],
      }),
      webhook("weights.weft.dev", "/weights", {
        ...ofMembers,
        reinvocationPolicy: "Never",
        rules: splits.map(written),
      }),
    ],
  }, {
    apiVersion,
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "weft-validator", labels: labelsOf("validator") },
    webhooks: [
      webhook("validate.weft.dev", "/validate", { ...ofMembers, rules: MESH_KINDS.map(written) }),
    ],
  }];
}
