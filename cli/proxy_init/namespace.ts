/**
 * Where `weft proxy-init` runs: in the network namespace of a container, or one that was made for the purpose, or on a machine, or in a
 * pod on its node's network, whose every connection it would capture.
 */
import { openLibrary } from "../../proxy/io/libc.ts";
import type { Environment } from "../../console/environment.ts";

/** The kernel has this setting in its first network namespace only. */
const FIRST_NAMESPACE = "/proc/sys/net/core/netdev_max_backlog";

/** A chain that the kubelet keeps in the network namespace of its node, to notice when its tables were emptied. */
const KUBELET_CHAIN = "KUBE-KUBELET-CANARY";

/**
 * False also where that cannot be told.
 *
 * @param iptables the programs that will be called
 */
export async function isOwnNamespace(
  environment: Environment,
  iptables: readonly string[],
): Promise<boolean> {
  if (isThere(FIRST_NAMESPACE) || await isOfNode(iptables)) return false;
  // The command of a container; in a pod whose containers share their processes it is another number.
  if (Deno.pid === 1 || environment.variable("KUBERNETES_SERVICE_HOST") !== undefined) return true;
  const [own, first] = await namespaceLinks();
  return own !== undefined && first !== undefined && own !== first;
}

/** Deno itself reads nothing of /proc. False also where the library cannot be opened. */
function isThere(path: string): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const symbols = { access: { parameters: ["buffer", "i32"], result: "i32" } } as const;
    const libc = openLibrary(["libc.so.6"], symbols);
    return libc.access(new TextEncoder().encode(`${path}\0`), 0) === 0;
  } catch {
    return false;
  }
}

async function isOfNode(iptables: readonly string[]): Promise<boolean> {
  const args = ["-w", "-t", "nat", "-n", "-L", KUBELET_CHAIN];
  for (const program of iptables) {
    try {
      const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
      if ((await command.output()).success) return true;
    } catch {
      // It is not there: what needs it will say so.
    }
  }
  return false;
}

/** Of this process and of the machine's first one. */
async function namespaceLinks(): Promise<string[]> {
  try {
    const args = ["/proc/self/ns/net", "/proc/1/ns/net"];
    const { stdout } = await new Deno.Command("readlink", { args, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}
