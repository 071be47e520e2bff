/** `weft proxy-init`: the iptables rules that bring a pod's traffic to its proxy. */
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("proxy-init")
    .summary("write the iptables rules that capture a pod's traffic")
    .description(
      "Redirects the TCP connections of this network namespace to the proxy in it: outgoing ones to --outbound-port, incoming " +
        "ones to --inbound-port. The proxy's own connections, loopback, and the proxy's admin, metrics and probe ports " +
        "are left alone. Run it before the proxy, as root with NET_ADMIN; running it again replaces the rules. On a machine, and in a pod on its node's network, it asks for --yes, " +
        "because it would capture the whole machine.\n\n" +
        "Lists have commas between their items. An exclusion counts before an inclusion; without an inclusion list " +
        "everything is captured.",
    )
    .option("--outbound-port <port>", "the proxy's outbound listener", "15001")
    .option("--inbound-port <port>", "the proxy's inbound listener", "15003")
    .option("--proxy-uid <id>", "user that the proxy runs as", `${PROXY_USER_ID}`)
    .option("--proxy-gid <id>", "group that the proxy runs as", `${PROXY_USER_ID}`)
    .option("--outbound-port-exclusion-list <ports>", "destination ports left alone")
    .option("--outbound-port-inclusion-list <ports>", "the only destination ports captured")
    .option("--outbound-ip-range-exclusion-list <ranges>", "destinations left alone")
    .option("--outbound-ip-range-inclusion-list <ranges>", "the only destinations captured")
    .option("--inbound-port-exclusion-list <ports>", "the pod's ports left alone")
    .option("--inbound-port-inclusion-list <ports>", "the pod's only ports captured")
    .option("--inbound-ip-range-exclusion-list <ranges>", "clients left alone")
    .option("--inbound-ip-range-inclusion-list <ranges>", "the only clients captured")
    .option("--network-interface-exclusion-list <names>", "interfaces left alone, both directions")
    .option(
      "--no-hairpin",
      "leave the proxy's connections to this pod alone (application reached at the pod's address)",
    )
    .addOption(
      program.createOption("--ip-version <version>", "4, 6 or both")
        .choices(["both", "4", "6"] as const).default("both" as const),
    )
    .addOption(
      program.createOption(
        "--backend <name>",
        "which iptables: the system's choice (else the other one, where that does not work), nft or legacy",
      )
        .choices(["default", "nft", "legacy"] as const).default("default" as const),
    )
    .option("--yes", "capture a whole machine: not asked for in a container", false)
    .option("--clean", "remove the rules instead", false)
    .option("--dry-run", "print what would be run, as a shell script, and run nothing", false)
    .action(async (options) => {
      const { runProxyInit } = await import("../proxy_init/run.ts");
      context.exitCode = await runProxyInit(options, context.environment);
    });
}
