/** How a command reaches the API server: by its options, else as the pod that it runs in, else as kubectl would. */
import { existsSync } from "node:fs";
import type { Environment } from "../../console/environment.ts";
import { usageFailure } from "../../console/exit.ts";
import {
  type AccessSource,
  overridden,
  podAccess,
  serverAccess,
} from "../../controller/kube/access.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import type { ClusterOptions } from "./options.ts";

export function clusterAccess(options: ClusterOptions, environment: Environment): AccessSource {
  if ((options.clientCertificate === undefined) !== (options.clientKey === undefined)) {
    throw usageFailure("--client-certificate and --client-key are given together");
  }
  const { as, asGroup, asUid, asUserExtra = [] } = options;
  if (as === undefined && (asGroup ?? asUid ?? asUserExtra[0]) !== undefined) {
    throw usageFailure("--as-group, --as-uid and --as-user-extra say more of --as: give that too");
  }
  const unclear = asUserExtra.find((each) => !/^[^=]+=/.test(each));
  if (unclear !== undefined) {
    throw usageFailure(
      `--as-user-extra cannot be "${unclear}"`,
      "Write --as-user-extra KEY=VALUE.",
    );
  }
  refuseUnverified(options);
  return overridden(sourceOf(options, environment), options);
}

/** A server that no certificate vouches for would be shown the token of the user. */
function refuseUnverified({ insecureSkipTlsVerify, tlsServerName }: ClusterOptions): void {
  const isSkipped = insecureSkipTlsVerify !== undefined && `${insecureSkipTlsVerify}` !== "false";
  if (!isSkipped && tlsServerName === undefined) return;
  const option = isSkipped ? "--insecure-skip-tls-verify" : "--tls-server-name";
  throw usageFailure(
    `${option} is not there: the API server's certificate is always verified, by the name that it is called by`,
    "Give --certificate-authority FILE, and --server with a name that is in the certificate.",
  );
}

function sourceOf(
  { kubeconfig, server, ...names }: ClusterOptions,
  environment: Environment,
): AccessSource {
  const { context, cluster, user } = names;
  if (kubeconfig !== undefined) return kubeconfigAccess({ files: [kubeconfig], ...names });
  const isNamed = context !== undefined || cluster !== undefined || user !== undefined;
  const files = filesOfVariable(environment);
  if (files.length > 0) return kubeconfigAccess({ files, ...names });
  const pod = isNamed ? null : podAccess(environment);
  if (pod !== null) return pod;
  const [file] = kubeconfigFiles(environment);
  // With its address alone an API server can be asked, too.
  if (server !== undefined && !isNamed && !existsSync(file)) return serverAccess(server);
  return kubeconfigAccess({ files: [file], ...names });
}

/** Where kubectl would look, without options. */
export function kubeconfigFiles(environment: Environment): string[] {
  const files = filesOfVariable(environment);
  const home = environment.variable("HOME") ?? environment.variable("USERPROFILE") ?? "";
  return files.length > 0 ? files : [`${home}/.kube/config`];
}

/** Files that `KUBECONFIG` lists and that are not there are passed over, as kubectl does; unless that is all of them. */
function filesOfVariable(environment: Environment): string[] {
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const listed = (environment.variable("KUBECONFIG") ?? "").split(separator).filter(Boolean);
  const found = listed.filter((path) => existsSync(path));
  return found.length > 0 ? found : listed;
}
