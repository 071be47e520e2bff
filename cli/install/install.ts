/** The work of `weft install` and `weft upgrade`: renders, applies in order, waits until the controller serves, then lets it answer for pods. */
import { stringify } from "yaml";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { applyObject, findObject } from "../../controller/install/cluster.ts";
import { definitions, isForeign } from "../../controller/install/definitions.ts";
import {
  givenIn,
  type Installation,
  installationsIn,
} from "../../controller/install/installations.ts";
import { keysFor, newKeys } from "../../controller/install/keys.ts";
import { metricsApi } from "../../controller/install/metrics_api.ts";
import { controlPlane, isOurs, namespaceObject } from "../../controller/install/objects.ts";
import { webhooks } from "../../controller/install/webhooks.ts";
import type { GivenValues, InstallValues } from "../../controller/install/values.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf } from "../../controller/kube/fields.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { Applied } from "./applied.ts";
import { waitForController } from "./progress.ts";
import { checkedValues, givenValues, type ValueOptions } from "./values.ts";

interface InstallOptions extends ClusterOptions, ValueOptions {
  readonly timeout: string;
  readonly atomic: boolean;
  readonly dryRun: boolean;
}

/** Makes an installation with these values, or what is there into one. */
export async function install(
  options: InstallOptions,
  environment: Environment,
): Promise<ExitCode> {
  const given = await givenValues(options, environment);
  const values = checkedValues(given, options.namespace);
  if (options.dryRun) return await printManifests(values, environment);
  await withCluster(options, environment, async (client) => {
    const installations = await installationsIn(client);
    const elsewhere = installations.find(({ namespace }) => namespace !== values.namespace);
    if (elsewhere !== undefined) throw installedElsewhere(elsewhere);
    installations.forEach(refuseHelms);
    refuseToForget(await givenIn(client, values.namespace) ?? {}, values);
    await applyAll(client, values, options, environment);
  });
  environment.stdout.line(`Weft installed successfully in ${placeOf(values)}`);
  return EXIT.ok;
}

/** Brings an installation to this version. Values that are not given stay as they are. */
export async function upgrade(
  options: InstallOptions & { readonly resetValues: boolean },
  environment: Environment,
): Promise<ExitCode> {
  const given = await givenValues(options, environment);
  checkedValues(given, options.namespace);
  const { namespace: wanted, resetValues } = options;
  const values = await withCluster(options, environment, async (client) => {
    const found = (await installationsIn(client))
      .find(({ namespace }) => wanted === undefined || namespace === wanted);
    if (found === undefined) {
      throw new CommandFailure("There is no installation of Weft to upgrade", {
        hint: "weft install makes one.",
      });
    }
    refuseHelms(found);
    const { namespace, meshName } = found;
    const earlier = resetValues ? {} : await givenIn(client, namespace) ?? { meshName };
    const values = checkedValues({ ...earlier, ...given }, namespace);
    if (options.dryRun) await printManifests(values, environment);
    else await applyAll(client, values, options, environment);
    return values;
  });
  if (!options.dryRun) environment.stdout.line(`Weft successfully upgraded in ${placeOf(values)}`);
  return EXIT.ok;
}

function placeOf({ namespace, injection }: InstallValues): string {
  return `namespace [${namespace}] with mesh name [${injection.meshName}]`;
}

/** Its next upgrade would undo what is changed here. */
export function refuseHelms({ isHelm, namespace }: Installation): void {
  if (!isHelm) return;
  throw new CommandFailure(`Helm has installed Weft in namespace [${namespace}]`, {
    hint: "Upgrade or uninstall it with helm.",
  });
}

function installedElsewhere({ namespace }: Installation): CommandFailure {
  return new CommandFailure(`Weft is installed in namespace [${namespace}] already`, {
    hint: `A cluster has one: give -n ${namespace}, or weft uninstall first.`,
  });
}

/** An installation is what it is given, so one that was given more must not lose it without a word. */
function refuseToForget(earlier: GivenValues, { given }: InstallValues): void {
  const lost = Object.entries(earlier).filter(([key]) => !Object.hasOwn(given, key));
  if (lost.length === 0) return;
  const listed = lost.map(([key, value]) => `${key}=${value}`).join(" ");
  throw new CommandFailure(`Weft is installed already, with values that are not given: ${listed}`, {
    hint: "weft upgrade keeps them; weft upgrade --reset-values does not.",
  });
}

async function printManifests(
  values: InstallValues,
  { stdout }: Environment,
): Promise<ExitCode> {
  const keys = await newKeys(values);
  const objects = [
    ...definitions(),
    namespaceObject(values),
    ...controlPlane(values, keys),
    ...webhooks(values, keys),
  ];
  stdout.write(objects.map((object) => stringify(object)).join("---\n"));
  return EXIT.ok;
}

async function applyAll(
  client: KubeClient,
  values: InstallValues,
  { timeout, atomic }: InstallOptions,
  environment: Environment,
): Promise<void> {
  const { stdout, stderr } = environment;
  const limitMs = parseTimeLimitMs(timeout);
  const applied = new Applied(client);
  try {
    await applyDefinitions(client, environment);
    await applyNamespace(applied, client, values);
    const keys = await keysFor(client, values);
    const objects = controlPlane(values, keys);
    for (const object of objects) await applied.apply(object);
    stdout.line(`Control plane: ${objects.length} objects in namespace ${values.namespace}`);
    await waitForController(client, { namespace: values.namespace, limitMs, timeout }, stdout);
    for (const object of webhooks(values, keys)) await applied.apply(object);
    const api = metricsApi(values.namespace, keys.authority.cert);
    const registered = await findObject(client, api);
    if (registered !== null && isOurs(registered)) await applied.apply(api);
    stdout.line("Injection: pods of namespaces in the mesh get sidecars from now on");
  } catch (error) {
    if (atomic) {
      await applied.takeBack();
      stderr.line("Taken back (--atomic): all but definitions is as it was before");
    }
    throw error;
  }
}

/** A namespace that was there before stays as it is: it is not changed, and not removed by an uninstallation. */
async function applyNamespace(
  applied: Applied,
  client: KubeClient,
  values: InstallValues,
): Promise<void> {
  const object = namespaceObject(values);
  const found = await findObject(client, object);
  if (fieldsOf(found?.["metadata"])["deletionTimestamp"] !== undefined) {
    throw new CommandFailure(`Namespace [${values.namespace}] is being removed`, {
      hint: "Try again once it is gone.",
    });
  }
  if (found === null || isOurs(found)) await applied.apply(object);
}

async function applyDefinitions(
  client: KubeClient,
  { stdout, stderr }: Environment,
): Promise<void> {
  let count = 0;
  for (const definition of definitions()) {
    if (await isForeign(client, definition)) {
      stderr.line(`Left alone: ${definition.metadata.name}, which was not installed by Weft`);
      continue;
    }
    await applyObject(client, definition);
    count++;
  }
  stdout.line(`Definitions: ${count} applied`);
}
