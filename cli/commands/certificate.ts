/** `weft certificate`: the authorities that sign certificates of sidecars, and the change from one to another. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

const PLACE = { namespace: "of the control plane (default: weft-system)" };

export function register(program: Program, context: CommandContext): void {
  const certificate = program.command("certificate")
    .summary("the authorities of a mesh, and the change from one to another")
    .description(
      "Sidecars have certificates of their ServiceAccounts from the controllers. Whom they trust, and who signs, is said by " +
        "MeshRootCertificates in the controllers' namespace.",
    );
  addClusterOptions(
    certificate.command("status")
      .summary("authorities, and how many sidecars trust and use them")
      .addOption(
        program.createOption("-o, --output <format>", "table for people, json for scripts")
          .choices(["table", "json"] as const).default("table" as const),
      ),
    PLACE,
  ).action(async (options) => {
    const { certificateStatus } = await import("../certificate/status.ts");
    context.exitCode = await certificateStatus(options, context.environment);
  });
  addClusterOptions(
    certificate.command("rotate")
      .summary("go from the present authority to another")
      .description(
        "Makes a new authority, waits until every sidecar trusts it, has it sign, waits until every sidecar has a certificate of it, " +
          "and takes back the trust in the old one. Each step shows how many of how many have come; a sidecar that stays silent is " +
          "waited for until its certificate has expired. It can be ended at any point: run it again, and it goes on.\n\n" +
          "Examples:\n" +
          "  weft certificate rotate\n" +
          "  weft certificate rotate --to cert-manager:ClusterIssuer/mesh-ca --roots ca.pem",
      )
      .option(
        "--to <provider>",
        "who is to sign: secret (default), files:DIRECTORY, cert-manager:[KIND/]NAME, vault:ROLE@ADDRESS",
      )
      .option(
        "--roots <file>",
        "root certificates of the new authority (PEM); secret makes its own",
      )
      .option("--timeout <time>", "for each step; after it nothing is lost", "10m"),
    PLACE,
  ).action(async (options) => {
    const { rotate } = await import("../certificate/rotate.ts");
    context.exitCode = await rotate(options, context.environment);
  });
}
