/** Accounts of a real API server with given rights, as a controller has them. */
import { CONTROLLER_RULES, NAMESPACE_RULES } from "../../controller/install/rbac.ts";
import { testCertificates } from "../tls/certificates.ts";
import type { TestApiServer } from "./api_server.ts";

/** One verb on one resource. */
export interface Right {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: string;
}

/** All that a controller has. */
export const CONTROLLER_RIGHTS: readonly Right[] = [...CONTROLLER_RULES, ...NAMESPACE_RULES]
  .flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((apiGroup) =>
      resources.flatMap((resource) => verbs.map((verb) => ({ apiGroup, resource, verb })))
    )
  );

export class Accounts {
  readonly #api: TestApiServer;

  constructor(api: TestApiServer) {
    this.#api = api;
  }

  /** The kubeconfig of a new account that has these rights. */
  async with(name: string, rights: readonly Right[]): Promise<string> {
    const rules = rights.map(({ apiGroup, resource, verb }) => ({
      apiGroups: [apiGroup],
      resources: [resource],
      verbs: [verb],
    }));
    const rbac = "rbac.authorization.k8s.io";
    const subjects = [{ kind: "ServiceAccount", name, namespace: "default" }];
    const roleRef = { apiGroup: rbac, kind: "ClusterRole", name };
    const metadata = { name };
    const objects = [
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "default" } },
      { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata, rules },
      { apiVersion: `${rbac}/v1`, kind: "ClusterRoleBinding", metadata, roleRef, subjects },
    ];
    await this.#api.apply(objects.map((object) => JSON.stringify(object)).join("\n---\n"));
    const token = (await this.#api.kubectl(["create", "token", name])).trim();
    const file = `${this.#api.folder}/${name}.kubeconfig`;
    const authority = testCertificates().authority.chainFile;
    const cluster = { server: this.#api.url, "certificate-authority": authority };
    const config = {
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user: { token } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    Deno.writeTextFileSync(file, JSON.stringify(config));
    return file;
  }
}
