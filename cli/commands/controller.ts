/** `weft controller`: the control plane of a mesh in a Kubernetes cluster. */
import { DEFAULT_TRUST_DOMAIN } from "../../base/spiffe.ts";
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("controller")
      .summary("run the controller of a mesh in a Kubernetes cluster")
      .description(
        "Watches a cluster, and tells the sidecars of the mesh what they ask for, now and whenever it changes. A namespace is in " +
          "the mesh if it has the label weft.dev/monitored-by with the mesh's name; Services elsewhere are as they are without a " +
          "mesh.\n\n" +
          "In a pod it asks the API server as the pod's ServiceAccount, elsewhere as kubectl would: --kubeconfig, KUBECONFIG, " +
          "~/.kube/config. Sidecars connect to --stream over TLS and show the token of their pod, which the API server is asked about.\n\n" +
          "SIGTERM ends it in order: sidecars keep what they hold and go to another replica.",
      )
      .requiredOption(
        "--tls-cert <file>",
        "certificate of the ports for sidecars and webhooks (PEM)",
      )
      .requiredOption("--tls-key <file>", "its key (PEM)")
      .option("--stream <address>", "takes the connections of sidecars", "0.0.0.0:15080")
      .option("--webhook <address>", "where the API server asks about pods (default: none)")
      .option(
        "--injection <file>",
        "with --webhook: settings of sidecars, as weft install writes them",
        "/etc/weft/injection/settings.json",
      )
      .option("--admin <address>", "health and metrics; `off` for none", "127.0.0.1:15000")
      .option("--mesh-name <name>", "value of the label weft.dev/monitored-by", "weft")
      .option("--cluster-domain <name>", "the cluster's DNS domain", "cluster.local")
      .option("--enforce-access", "enforce traffic targets (permissive mode off)", false)
      .addOption(
        program.createOption(
          "--egress <mode>",
          "off refuses what leaves the mesh and no Egress allows",
        )
          .choices(["on", "off"] as const).default("on" as const),
      )
      .option("--trust-domain <name>", "of the SPIFFE ids of sidecars", DEFAULT_TRUST_DOMAIN)
      .addOption(
        program.createOption("--token-review <mode>", "off lets any sidecar in: for tests only")
          .choices(["on", "off"] as const).default("on" as const),
      )
      .addOption(
        program.createOption("--log-level <level>", "lightest event that is logged, on stderr")
          .choices(["debug", "info", "warn", "error"] as const).default("info" as const),
      ),
  )
    .action(async (options) => {
      const { runController } = await import("../controller/run.ts");
      context.exitCode = await runController(options, context.environment);
    });
}
