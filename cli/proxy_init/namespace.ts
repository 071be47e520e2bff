/**
 * Where `weft proxy-init` runs: in the network namespace of a container, or one that was made for the purpose, or on a machine
 * whose every connection it would capture.
 */
import type { Environment } from "../../console/environment.ts";

/** False also where that cannot be told. */
export async function isOwnNamespace(environment: Environment): Promise<boolean> {
  // The command of a container; in a pod whose containers share their processes it is another number.
  if (Deno.pid === 1 || environment.variable("KUBERNETES_SERVICE_HOST") !== undefined) return true;
  const [own, first] = await namespaceLinks();
  return own !== undefined && first !== undefined && own !== first;
}

/** Of this process and of the machine's first one. Deno itself reads nothing of /proc. */
async function namespaceLinks(): Promise<string[]> {
  try {
    const args = ["/proc/self/ns/net", "/proc/1/ns/net"];
    const { stdout } = await new Deno.Command("readlink", { args, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}
