/** What `weft status` asks the controller, through the API server. */
import { CommandFailure, usageFailure } from "../../console/exit.ts";
import { ADMIN, CONTROLLER } from "../../controller/install/objects.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import type { RolloutAnswer } from "../../controller/rollout/answers.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { STATUS_QUESTIONS_AT_ONCE } from "../limits.ts";

export interface StatusOptions extends ClusterOptions {
  readonly wait: boolean;
  readonly watch: boolean;
  readonly plain: boolean;
  readonly timeout?: string;
  readonly output: "table" | "wide" | "json";
  readonly weftNamespace: string;
}

export class ControllerAway extends CommandFailure {}

export function nameIn(argument: string): string {
  const [, name] = /^(?:ts|trafficsplits?(?:\.split\.smi-spec\.io)?)\/([^/]+)$/i.exec(argument) ??
    [];
  if (name === undefined) {
    throw usageFailure(`"${argument}" names no split`, "Write it like trafficsplit/web");
  }
  return name;
}

export async function splitsOf(client: KubeClient, namespace: string): Promise<string[]> {
  const list = fieldsOf(
    await client.call("GET", await pathOf(client, namespace), {
      accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    }),
  );
  const items = Array.isArray(list["items"]) ? list["items"].map(fieldsOf) : [];
  return items.flatMap(({ metadata }) => textField(fieldsOf(metadata), "name") ?? []);
}

async function pathOf(client: KubeClient, namespace: string): Promise<string> {
  const group = fieldsOf(await client.call("GET", "/apis/split.smi-spec.io"));
  const version = textField(fieldsOf(group["preferredVersion"]), "groupVersion");
  return `/apis/${version}/namespaces/${namespace}/trafficsplits`;
}

/** As the API server has it. @param split `namespace/name` */
export async function splitObject(client: KubeClient, split: string): Promise<JsonFields> {
  const [namespace, name] = split.split("/");
  return fieldsOf(await client.call("GET", `${await pathOf(client, namespace)}/${name}`));
}

export async function askController(
  client: KubeClient,
  splits: readonly string[],
  { weftNamespace }: StatusOptions,
): Promise<RolloutAnswer[]> {
  const answers: RolloutAnswer[] = [];
  for (let at = 0; at < splits.length; at += STATUS_QUESTIONS_AT_ONCE) {
    const some = splits.slice(at, at + STATUS_QUESTIONS_AT_ONCE);
    answers.push(...await Promise.all(some.map((each) => askOne(client, each, weftNamespace))));
  }
  return answers;
}

export async function askOne(
  client: KubeClient,
  split: string,
  weftNamespace: string,
): Promise<RolloutAnswer> {
  const service = `/api/v1/namespaces/${weftNamespace}/services/http:${CONTROLLER}:${ADMIN}/proxy`;
  const query = new URLSearchParams({ split });
  try {
    return await client.call("GET", `${service}/rollout/ready?${query}`) as RolloutAnswer;
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    const isController = /^The API server answered/.test(error.message);
    if (error.status === 404 && isController) {
      throw new CommandFailure(`The controller knows no TrafficSplit ${split}`, {
        hint:
          "Is there one, and is its namespace in the mesh? See kubectl get trafficsplits -A and weft namespace list.",
      });
    }
    if (error.status !== 404 && error.status !== 503) throw error;
    throw new ControllerAway(`The controller cannot be asked: ${error.message}`, {
      hint: `See kubectl get pods -n ${weftNamespace}; --weft-namespace says where it is.`,
    });
  }
}
