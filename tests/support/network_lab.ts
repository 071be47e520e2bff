/**
 * Network namespaces joined by veth pairs, for tests of what only a real kernel does: redirection, original destinations.
 * Everything lives in namespaces that a lab made itself and takes away again; nothing of the machine's own network is touched.
 */
import assert from "node:assert/strict";
import { runCommand } from "./commands.ts";

/** One side of a pair: a namespace with an interface and its addresses, such as `10.77.0.1/24`. */
interface LabSide {
  readonly name: string;
  readonly addresses: readonly string[];
}

let labs = 0;

/** Why there can be no lab here, in one line; null where there can. `programs` are those a test needs besides `ip`. */
export function labObstacle(programs: readonly string[]): string | null {
  if (Deno.build.os !== "linux") return "network namespaces need Linux";
  if (Deno.uid() !== 0) return "network namespaces need root";
  for (const program of ["ip", ...programs]) {
    try {
      new Deno.Command(program, { args: ["-V"], stdout: "null", stderr: "null" }).outputSync();
    } catch {
      return `${program} is not installed`;
    }
  }
  if (!hasIpv6()) return "the kernel has no IPv6";
  const probe = `weft${Deno.pid}p`;
  const { success, stderr } = new Deno.Command("ip", { args: ["netns", "add", probe] })
    .outputSync();
  if (!success) return `no network namespace can be made: ${new TextDecoder().decode(stderr)}`;
  new Deno.Command("ip", { args: ["netns", "delete", probe] }).outputSync();
  return null;
}

/** Every namespace has it where the kernel has. */
function hasIpv6(): boolean {
  try {
    Deno.statSync("/proc/sys/net/ipv6");
    return true;
  } catch {
    return false;
  }
}

export class NetworkLab {
  readonly #id = `weft${Deno.pid}x${labs++}`;
  readonly #namespaces: string[] = [];
  readonly #children: Deno.ChildProcess[] = [];
  #links = 0;

  /** Makes a namespace with its loopback up. */
  async add(name: string): Promise<void> {
    const namespace = this.#namespace(name);
    await call("ip", ["netns", "add", namespace]);
    this.#namespaces.push(namespace);
    await this.run(name, "ip", ["link", "set", "lo", "up"]);
  }

  /** Joins two namespaces by a veth pair, the interface is `eth` and a number in both. */
  async join(one: LabSide, other: LabSide): Promise<void> {
    const link = `eth${this.#links++}`;
    await call("ip", [
      ...["link", "add", link, "netns", this.#namespace(one.name), "type", "veth"],
      ...["peer", "name", link, "netns", this.#namespace(other.name)],
    ]);
    for (const { name, addresses } of [one, other]) {
      for (const address of addresses) {
        // Duplicate address detection would keep IPv6 addresses unusable for a second.
        const noDad = address.includes(":") ? ["nodad"] : [];
        await this.run(name, "ip", ["address", "add", address, "dev", link, ...noDad]);
      }
      await this.run(name, "ip", ["link", "set", link, "up"]);
    }
  }

  /** Runs a command in a namespace to its end; its output. Fails where the command does. */
  async run(name: string, program: string, args: readonly string[], input = ""): Promise<string> {
    return await call("ip", ["netns", "exec", this.#namespace(name), program, ...args], input);
  }

  /** Runs a command in a namespace to its end, whatever its end is. */
  async attempt(name: string, program: string, args: readonly string[]) {
    const command = new Deno.Command("ip", {
      args: ["netns", "exec", this.#namespace(name), program, ...args],
    });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Starts a command in a namespace; it ends with the lab at the latest. */
  start(name: string, program: string, args: readonly string[]): Deno.ChildProcess {
    const child = new Deno.Command("ip", {
      args: ["netns", "exec", this.#namespace(name), program, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#children.push(child);
    return child;
  }

  async close(): Promise<void> {
    for (const child of this.#children.splice(0)) {
      try {
        // `ip netns exec` becomes the command, so this ends it.
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
      await Promise.all(
        [child.stdout, child.stderr].map((stream) => stream.locked ? null : stream.cancel()),
      );
    }
    for (const namespace of this.#namespaces.splice(0)) {
      await call("ip", ["netns", "delete", namespace]);
    }
  }

  #namespace(name: string): string {
    return `${this.#id}${name}`;
  }
}

async function call(program: string, args: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await runCommand(program, args, input);
  assert.equal(code, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}
