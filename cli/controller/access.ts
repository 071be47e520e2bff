/** How a command reaches the API server: by its options, else as the pod that it runs in, else as kubectl would. */
import { type AccessSource, podAccess } from "../../controller/kube/access.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import type { Environment } from "../../console/environment.ts";

interface AccessOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
}

export function clusterAccess(
  { kubeconfig, context }: AccessOptions,
  environment: Environment,
): AccessSource {
  if (kubeconfig !== undefined) return kubeconfigAccess({ files: [kubeconfig], context });
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const files = (environment.variable("KUBECONFIG") ?? "").split(separator).filter(Boolean);
  if (files.length > 0) return kubeconfigAccess({ files, context });
  const pod = context === undefined ? podAccess(environment) : null;
  const home = environment.variable("HOME") ?? environment.variable("USERPROFILE") ?? "";
  return pod ?? kubeconfigAccess({ files: [`${home}/.kube/config`], context });
}
