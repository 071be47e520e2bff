/**
 * How the API server is reached and who asks: from a kubeconfig, or from the ServiceAccount of the pod. An `AccessSource` is read again
 * and again, because files of tokens and certificates change.
 */
import { readText } from "../../base/read_text.ts";

/** As of one reading. */
export interface ClusterAccess {
  /** `https://10.96.0.1:443`, without a slash at the end. */
  readonly server: string;
  /** Empty: those of the system. */
  readonly authorities: readonly string[];
  /** Undefined: none is presented. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** Undefined: none is sent. */
  readonly token?: string;
  readonly proxy?: string;
  /** Of the context, or of the pod. */
  readonly namespace: string;
}

export interface AccessSource {
  /** @throws {Error} one line says what is missing */
  read(): Promise<ClusterAccess>;
}

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

interface PodVariables {
  variable(name: string): string | undefined;
}

/** As the ServiceAccount of the pod that this runs in; null: this is no pod. */
export function podAccess(
  { variable }: PodVariables,
  directory: string = ACCOUNT,
): AccessSource | null {
  const host = variable("KUBERNETES_SERVICE_HOST");
  const port = variable("KUBERNETES_SERVICE_PORT") ?? "443";
  if (host === undefined || host === "") return null;
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    async read() {
      const [authority, token, namespace] = await Promise.all(
        ["ca.crt", "token", "namespace"].map((name) => readText(`${directory}/${name}`)),
      );
      return {
        server: `https://${address}:${port}`,
        authorities: [authority],
        token: token.trim(),
        namespace: namespace.trim(),
      };
    },
  };
}
