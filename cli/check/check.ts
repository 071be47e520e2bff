/** The work of `weft check`: looks at one thing after the other, and says of each whether it is well, and the way out where it is not. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import type { Output, Style } from "../../console/output.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { WEFT_NAMESPACE } from "../../controller/install/values.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import * as cluster from "./cluster_checks.ts";
import * as controlPlane from "./control_plane_checks.ts";
import * as mesh from "./mesh_checks.ts";
import {
  type CheckContext,
  type CheckResult,
  type CheckState,
  type ClusterCheck,
  found,
} from "./result.ts";

interface CheckOptions extends ClusterOptions {
  readonly pre: boolean;
  readonly output: "text" | "json";
}

interface Group {
  readonly title: string;
  readonly checks: readonly ClusterCheck[];
}

const BEFORE: readonly Group[] = [{
  title: "Cluster, before an installation",
  checks: [
    cluster.apiServer,
    cluster.kubelets,
    cluster.rightsToInstall,
    cluster.customDefinitions,
    cluster.otherMeshes,
    cluster.notInstalled,
  ],
}];

const AFTER: readonly Group[] = [
  {
    title: "Cluster",
    checks: [
      cluster.apiServer,
      cluster.kubelets,
      cluster.customDefinitions,
      cluster.otherMeshes,
    ],
  },
  {
    title: "Control plane",
    checks: [
      controlPlane.version,
      controlPlane.controllers,
      controlPlane.rights,
      controlPlane.certificates,
      controlPlane.webhookTrust,
      controlPlane.smiMetrics,
      controlPlane.identity,
      controlPlane.injection,
    ],
  },
  {
    title: "Mesh",
    checks: [
      mesh.namespaces,
      mesh.twoMeshes,
      mesh.sidecars,
      mesh.pullSecrets,
      controlPlane.proxies,
    ],
  },
];

/** Ends with 1 if one of them is an error. */
export async function check(options: CheckOptions, environment: Environment): Promise<ExitCode> {
  const { stdout } = environment;
  const isText = options.output === "text";
  const results = await withCluster(options, environment, async (client) => {
    const context = await contextOf(client, options);
    if (!options.pre && context.installation === null) {
      const message = "Weft is not installed in this cluster";
      const result = found(
        "installation",
        "error",
        message,
        "weft install; weft check --pre looks whether it can be.",
      );
      if (isText) printResult(stdout, result);
      return [result];
    }
    const results: CheckResult[] = [];
    for (const { title, checks } of options.pre ? BEFORE : AFTER) {
      if (isText) stdout.line(stdout.style("strong", title));
      for (const look of checks) {
        const seen = await lookSafely(look, context);
        if (isText) { for (const result of seen) printResult(stdout, result); }
        results.push(...seen);
      }
      if (isText) stdout.line();
    }
    return results;
  });
  const count = (state: CheckState) => results.filter((each) => each.state === state).length;
  const [errors, warnings] = [count("error"), count("warning")];
  if (isText) stdout.line(`${count("ok")} well, ${warnings} warnings, ${errors} errors`);
  else {stdout.line(
      JSON.stringify({ apiVersion: "weft.dev/check", errors, warnings, results }, null, 2),
    );}
  return errors === 0 ? EXIT.ok : EXIT.failed;
}

async function contextOf(
  client: KubeClient,
  { namespace: wanted, pre }: CheckOptions,
): Promise<CheckContext> {
  const all = await installationsIn(client).catch((error) => {
    // Who may not even look will hear of it among the rights.
    if (pre && error instanceof KubeError) return [];
    throw error;
  });
  const installation = all
    .find(({ namespace }) => wanted === undefined || namespace === wanted) ?? null;
  return { client, installation, namespace: installation?.namespace ?? wanted ?? WEFT_NAMESPACE };
}

/** What may not be looked at is said, and the others go on. */
async function lookSafely(
  look: ClusterCheck,
  context: CheckContext,
): Promise<readonly CheckResult[]> {
  try {
    return [await look(context)].flat();
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    return [
      found(
        "access",
        "warning",
        `Not looked at: ${error.message}`,
        "Use an administrator's kubeconfig.",
      ),
    ];
  }
}

const MARKS: Readonly<Record<CheckState, readonly [mark: string, style: Style]>> = {
  ok: ["ok", "good"],
  info: ["info", "info"],
  warning: ["warning", "warning"],
  error: ["error", "error"],
};

const INDENT = " ".repeat(11);

function printResult(output: Output, { state, message, hint }: CheckResult): void {
  const [mark, style] = MARKS[state];
  output.line(`  ${output.style(style, mark)}${" ".repeat(9 - mark.length)}${message}`);
  if (hint !== "") output.line(`${INDENT}${hint}`);
}
