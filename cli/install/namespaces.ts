/** The work of `weft namespace add|remove|list|ignore`. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { renderTable } from "../../console/table.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import {
  hasPods,
  IGNORE_LABEL,
  ignoredIn,
  type Member,
  memberNamed,
  membersOf,
  setIgnored,
  setMember,
} from "../../controller/install/members.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";

interface AddOptions extends ClusterOptions {
  readonly meshName: string;
  readonly disableSidecarInjection: boolean;
}

export async function addNamespaces(
  names: readonly string[],
  { meshName: mesh, disableSidecarInjection, ...options }: AddOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  const injection = disableSidecarInjection ? "disabled" : "enabled";
  await withCluster(options, environment, async (client) => {
    const installations = await installationsIn(client);
    const meshes = installations.map(({ meshName }) => meshName);
    if (!meshes.includes(mesh)) {
      throw new CommandFailure(`Mesh [${mesh}] does not exist`, {
        hint: meshes.length === 0
          ? "Install one first: weft install"
          : `Give --mesh-name; there is ${meshes.join(", ")}.`,
      });
    }
    // All are looked at before one is changed.
    const own = ["kube-system", ...installations.map(({ namespace }) => namespace)];
    for (const member of await membersNamed(client, names, own)) {
      if (member.isIgnored) {
        throw new CommandFailure(`Cannot add ignored namespace [${member.name}]`, {
          hint: `Take the mark off first: kubectl label namespace ${member.name} ${IGNORE_LABEL}-`,
        });
      }
      if (member.mesh === mesh && member.injection === injection) {
        stdout.line(`Namespace [${member.name}] has already been added to mesh [${mesh}]`);
        continue;
      }
      await setMember(client, member.name, { mesh, injection });
      stdout.line(`Namespace [${member.name}] successfully added to mesh [${mesh}]`);
      if (disableSidecarInjection) continue;
      if (["baseline", "restricted"].includes(member.podSecurity ?? "")) {
        stderr.line(
          `  Its Pod Security level, ${member.podSecurity}, refuses the init container of sidecars, which has NET_ADMIN: ` +
            `kubectl label --overwrite namespace ${member.name} pod-security.kubernetes.io/enforce=privileged`,
        );
      }
      if (await hasPods(client, member.name)) {
        stderr.line(
          `  Its pods get their sidecars when they are made anew: kubectl rollout restart deployment -n ${member.name}`,
        );
      }
    }
  });
  return EXIT.ok;
}

export async function removeNamespaces(
  names: readonly string[],
  { meshName: mesh, ...options }: ClusterOptions & { readonly meshName: string },
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  await withCluster(options, environment, async (client) => {
    for (const member of await membersNamed(client, names)) {
      if (member.mesh === undefined) {
        stdout.line(`Namespace [${member.name}] already does not belong to any mesh`);
        continue;
      }
      if (member.mesh !== mesh) {
        throw new CommandFailure(
          `Namespace [${member.name}] belongs to mesh [${member.mesh}], not mesh [${mesh}]`,
          { hint: `Give --mesh-name ${member.mesh}.` },
        );
      }
      await setMember(client, member.name, null);
      stdout.line(`Namespace [${member.name}] successfully removed from mesh [${mesh}]`);
    }
  });
  return EXIT.ok;
}

export async function ignoreNamespaces(
  names: readonly string[],
  options: ClusterOptions,
  environment: Environment,
): Promise<ExitCode> {
  await withCluster(options, environment, async (client) => {
    for (const { name } of await membersNamed(client, names)) {
      await setIgnored(client, name);
      environment.stdout.line(`Successfully configured namespace [${name}] to be ignored`);
    }
  });
  return EXIT.ok;
}

export async function listNamespaces(
  mesh: string | undefined,
  options: ClusterOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  const members = await withCluster(options, environment, async (client) => [
    ...await membersOf(client, mesh),
    ...mesh === undefined ? await ignoredIn(client) : [],
  ]);
  if (members.length === 0) {
    stdout.line(
      mesh === undefined ? "No namespaces in any mesh" : `No namespaces in mesh [${mesh}]`,
    );
    return EXIT.ok;
  }
  const rows = members.map(({ name, mesh, injection, isIgnored }) => [
    name,
    mesh ?? "",
    isIgnored ? "disabled (ignored)" : injection,
  ]);
  stdout.write(renderTable(stdout, ["NAMESPACE", "MESH", "SIDECAR-INJECTION"], rows));
  return EXIT.ok;
}

/** @param never what must not wait for a sidecar, or has none */
async function membersNamed(
  client: KubeClient,
  names: readonly string[],
  never: readonly string[] = [],
): Promise<Member[]> {
  const members: Member[] = [];
  for (const name of names) {
    if (never.includes(name)) {
      throw new CommandFailure(
        `Namespace [${name}] cannot be in a mesh: its pods must start without one`,
      );
    }
    members.push(
      await memberNamed(client, name).catch((error) => {
        if (!isNotFound(error)) throw error;
        throw new CommandFailure(`Namespace [${name}] does not exist`, {
          hint: `Make it first: kubectl create namespace ${name}`,
        });
      }),
    );
  }
  return members;
}
