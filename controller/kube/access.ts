/**
 * How the API server is reached and who asks: from a kubeconfig, or from the ServiceAccount of the pod. An `AccessSource` is read again
 * and again, because files of tokens and certificates change.
 */
import { readText } from "../../base/read_text.ts";

interface Impersonation {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  /** What else a proxy that authenticates says of a user: keys, each with its values. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

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
  /** As whom the user acts. */
  readonly actsAs?: Impersonation;
  /** Answers come as they are, for who has more network than time. */
  readonly isUncompressed?: true;
  /** Of the context, or of the pod. */
  readonly namespace: string;
}

export interface AccessSource {
  /** @throws {Error} one line says what is missing */
  read(): Promise<ClusterAccess>;
}

/** By its address alone. */
export function serverAccess(server: string): AccessSource {
  return { read: () => Promise.resolve({ server, authorities: [], namespace: "default" }) };
}

/** What counts in place of what a kubeconfig or a pod says; undefined leaves that. */
export interface AccessOverrides {
  readonly server?: string | undefined;
  /** Paths of files in PEM. */
  readonly certificateAuthority?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly token?: string | undefined;
  readonly as?: string | undefined;
  readonly asGroup?: readonly string[] | undefined;
  readonly asUid?: string | undefined;
  /** Each `KEY=VALUE`. */
  readonly asUserExtra?: readonly string[] | undefined;
  readonly disableCompression?: boolean | undefined;
  readonly namespace?: string | undefined;
}

export function overridden(source: AccessSource, overrides: AccessOverrides): AccessSource {
  const { server, certificateAuthority, clientCertificate, clientKey, token } = overrides;
  const { namespace, disableCompression = false } = overrides;
  return {
    async read() {
      const access = await source.read();
      const [authority, cert, key] = await Promise.all(
        [certificateAuthority, clientCertificate, clientKey].map((path) =>
          path === undefined ? undefined : readText(path)
        ),
      );
      const isOther = token !== undefined || cert !== undefined;
      const { token: knownToken, certificate, ...known } = access;
      return {
        ...known,
        ...(isOther || knownToken === undefined ? {} : { token: knownToken }),
        // Beside a token a certificate would still say who asks.
        ...(isOther || certificate === undefined ? {} : { certificate }),
        ...(server === undefined ? {} : { server: server.replace(/\/+$/, "") }),
        ...(authority === undefined ? {} : { authorities: [authority] }),
        ...(cert === undefined || key === undefined ? {} : { certificate: { cert, key } }),
        ...(token === undefined ? {} : { token }),
        ...impersonated(overrides),
        ...(disableCompression ? { isUncompressed: true } : {}),
        ...(namespace === undefined ? {} : { namespace }),
      };
    },
  };
}

function impersonated(
  { as, asGroup = [], asUid, asUserExtra = [] }: AccessOverrides,
): Pick<ClusterAccess, "actsAs"> {
  if (as === undefined) return {};
  const extra = Object.groupBy(asUserExtra, (each) => each.slice(0, each.indexOf("=")));
  const valuesOf = (all: readonly string[] = []) =>
    all.map((each) => each.slice(each.indexOf("=") + 1));
  return {
    actsAs: {
      ...{ user: as, groups: asGroup },
      ...(asUid === undefined ? {} : { uid: asUid }),
      ...(asUserExtra.length === 0 ? {} : {
        extra: Object.fromEntries(
          Object.entries(extra).map(([key, all]) => [key, valuesOf(all)]),
        ),
      }),
    },
  };
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
