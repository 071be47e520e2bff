/**
 * The options of every command that asks an API server: those of kubectl, by its names. What they mean is in `access.ts`.
 * Grammar only: loaded for help and completion.
 */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import { collect } from "../../console/values.ts";
import type { AccessOverrides } from "../../controller/kube/access.ts";

export interface ClusterOptions extends AccessOverrides {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly requestTimeout?: string | undefined;
  readonly insecureSkipTlsVerify?: string | boolean | undefined;
  readonly tlsServerName?: string | undefined;
}

/** As the parser wants a type of options. */
type Given = Pick<ClusterOptions, keyof ClusterOptions>;

const GROUP = "Connection to the cluster, as kubectl has it:";

const OPTIONS: readonly (readonly [flags: string, description: string])[] = [
  ["--kubeconfig <file>", "how to reach the API server"],
  ["--context <name>", "of the kubeconfig (default: its current one)"],
  ["--cluster <name>", "of the kubeconfig, in place of the context's"],
  ["--user <name>", "of the kubeconfig, in place of the context's"],
  ["-s, --server <url>", "of the API server, in place of the cluster's"],
  ["--certificate-authority <file>", "that the API server's certificate is signed by (PEM)"],
  ["--client-certificate <file>", "of the user, with --client-key (PEM)"],
  ["--client-key <file>", "its key (PEM)"],
  ["--token <token>", "of the user, in place of the kubeconfig's credentials"],
  ["--as <user>", "act as another user (impersonation)"],
  ["--as-uid <uid>", "with --as: act as the user of this UID"],
  ["--request-timeout <time>", "longest time of one call of the API server (default: 30s)"],
  ["--disable-compression", "have answers as they are, where the network is quicker than zip"],
];

const REPEATED: readonly (readonly [flags: string, description: string])[] = [
  ["--as-group <group>", "with --as: act as a member of it (repeat)"],
  ["--as-user-extra <key=value>", "with --as: say so of the user, too (repeat)"],
];

/** Options of kubectl's that are known in order to say why they are not there. */
const REFUSED: readonly string[] = [
  "--insecure-skip-tls-verify [value]",
  "--tls-server-name <name>",
];

function collectMore(value: string, previous: readonly string[] = []): readonly string[] {
  return collect(value, previous);
}

/** Adds the options to a command, after its own; those that are objects of a namespace have `-n` too. */
export function addClusterOptions<
  A extends unknown[],
  O extends OptionValues,
  G extends OptionValues,
>(
  command: Command<A, O, G>,
  { namespace }: { readonly namespace?: string } = {},
): Command<A, O & Given, G> {
  if (namespace !== undefined) command.option("-n, --namespace <name>", namespace);
  for (const [flags, description] of OPTIONS) {
    command.addOption(command.createOption(flags, description).helpGroup(GROUP));
  }
  for (const [flags, description] of REPEATED) {
    command.addOption(
      command.createOption(flags, description).argParser(collectMore).helpGroup(GROUP),
    );
  }
  for (const flags of REFUSED) command.addOption(command.createOption(flags).hideHelp());
  // Options that are added one by one in a loop have no types of their own.
  return command as unknown as Command<A, O & Given, G>;
}
