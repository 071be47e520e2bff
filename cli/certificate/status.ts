/** The work of `weft certificate status`: the authorities of a mesh, and how many sidecars trust and use them. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode } from "../../console/exit.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { WEFT_NAMESPACE } from "../../controller/install/values.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { type Authority, inForce, isDone, type MeshState, nextStep, signed } from "./rotation.ts";
import { readState } from "./view.ts";

interface CertificateStatusOptions extends ClusterOptions {
  readonly output: "table" | "json";
}

export async function certificateStatus(
  options: CertificateStatusOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  const namespace = options.namespace ?? WEFT_NAMESPACE;
  const view = await withCluster(
    options,
    environment,
    (client) => readState(client, namespace),
  );
  const rows = view.authorities.map((authority) => rowOf(view, authority));
  const trust = inForce(view, false);
  if (options.output === "json") {
    const { done, of, missing, obstacle } = trust;
    stdout.line(
      JSON.stringify({ authorities: rows, trust: { done, of, missing, obstacle } }, null, 2),
    );
    return EXIT.ok;
  }
  const heads = ["NAME", "ROLE", "PROVIDER", "ROOTS EXPIRE", "CERTIFICATES", "PROBLEM"];
  const cells = rows.map(({ name, role, provider, expires, certificates, problem }): Cell[] => [
    ...[name, role, provider, expires, certificates],
    problem === "" ? "" : { text: problem, style: "warning" },
  ]);
  if (rows.length === 0) stderr.line(`No MeshRootCertificate in namespace ${namespace}`);
  else stdout.write(renderTable(stdout, heads, cells));
  const also = trust.obstacle === "" ? "" : `; ${trust.obstacle}`;
  stdout.line(`\n${trust.done} of ${trust.of} sidecars trust these roots${also}`);
  if (!isDone(trust)) { for (const name of trust.missing) stdout.line(`  not yet: ${name}`); }
  const step = nextStep({ ...view, nowMs: Date.now() });
  if (typeof step === "string") stdout.line(step);
  else if (step !== null) stdout.line("A change is under way: weft certificate rotate goes on");
  return EXIT.ok;
}

function rowOf(view: MeshState, authority: Authority) {
  const { name, role, provider, roots } = authority.root;
  const { done, of } = signed(view, authority, false);
  const problems = view.replicas.flatMap((each) => each?.authorities ?? [])
    .filter((each) => each.name === name && each.problem !== "");
  return {
    ...{ name, role, provider: provider.kind },
    expires: new Date(Math.min(...roots.map(({ untilMs }) => untilMs))).toISOString().slice(0, 10),
    certificates: `${done} of ${of}`,
    problem: problems[0]?.problem ?? "",
  };
}
