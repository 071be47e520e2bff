/** The work of `weft status`: asks the controller through the API server, once or until a split is in force everywhere. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { ADMIN, CONTROLLER } from "../../controller/install/objects.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import type { RolloutAnswer } from "../../controller/rollout/answers.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { PROGRESS_LOOK_MS, STATUS_QUESTIONS_AT_ONCE } from "../limits.ts";

interface StatusOptions extends ClusterOptions {
  readonly wait: boolean;
  readonly timeout: string;
  readonly output: "table" | "wide" | "json";
  readonly weftNamespace: string;
}

class ControllerAway extends CommandFailure {}

export async function status(
  split: string | undefined,
  options: StatusOptions,
  environment: Environment,
): Promise<ExitCode> {
  const name = split === undefined ? undefined : nameIn(split);
  const limitMs = parseTimeLimitMs(options.timeout);
  const { stdout, stderr } = environment;
  const answers = await withCluster(options, environment, async (client) => {
    const namespace = options.namespace ?? await client.namespace();
    const names = name === undefined ? await splitsOf(client, namespace) : [name];
    const ask = () => askAll(client, names.map((each) => `${namespace}/${each}`), options);
    if (!options.wait) return await ask();
    return await untilReady(ask, limitMs, (line) => stderr.line(line));
  });
  if (options.output === "json") {
    stdout.line(JSON.stringify(split === undefined ? answers : answers[0], null, 2));
  } else if (answers.length === 0) stderr.line("No TrafficSplits in this namespace");
  else print(answers, options.output === "wide", environment);
  return options.wait && !answers.every(({ ready }) => ready) ? EXIT.failed : EXIT.ok;
}

function nameIn(argument: string): string {
  const [, name] = /^(?:ts|trafficsplits?(?:\.split\.smi-spec\.io)?)\/([^/]+)$/i.exec(argument) ??
    [];
  if (name === undefined) {
    throw usageFailure(`"${argument}" names no split`, "Write it like trafficsplit/web");
  }
  return name;
}

async function splitsOf(client: KubeClient, namespace: string): Promise<string[]> {
  const group = fieldsOf(await client.call("GET", "/apis/split.smi-spec.io"));
  const version = textField(fieldsOf(group["preferredVersion"]), "groupVersion");
  const list = fieldsOf(
    await client.call("GET", `/apis/${version}/namespaces/${namespace}/trafficsplits`, {
      accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    }),
  );
  const items = Array.isArray(list["items"]) ? list["items"].map(fieldsOf) : [];
  return items.flatMap(({ metadata }) => textField(fieldsOf(metadata), "name") ?? []);
}

async function askAll(
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

async function askOne(
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

/** The last answers, ready or not. A controller that is away for a while is waited for too. */
async function untilReady(
  ask: () => Promise<RolloutAnswer[]>,
  limitMs: number,
  say: (line: string) => void,
): Promise<RolloutAnswer[]> {
  const startMs = performance.now();
  for (let said = "";;) {
    const isLast = performance.now() - startMs >= limitMs;
    const answers = await ask().catch((error) => {
      if (isLast || !(error instanceof ControllerAway)) throw error;
      return error.message;
    });
    const obstacle = typeof answers === "string" ? answers : obstacleIn(answers);
    if (typeof answers !== "string" && (isLast || obstacle === "")) {
      if (isLast && obstacle !== "") say("Not all proxies had it in time (--timeout)");
      return answers;
    }
    if (obstacle !== said) say(obstacle);
    said = obstacle;
    await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
  }
}

/** Empty: all are ready. */
function obstacleIn(answers: readonly RolloutAnswer[]): string {
  return answers.flatMap(({ split, ready, reason }) => ready ? [] : `${split}: ${reason}`)
    .join("; ");
}

function print(
  answers: readonly RolloutAnswer[],
  isWide: boolean,
  { stdout }: Environment,
): void {
  const heads = ["SPLIT", "GENERATION", "PROGRAMMED", "READY", "FINDINGS"];
  const rows = answers.map((answer): Cell[] => [
    answer.split,
    String(answer.generation),
    `${answer.programmed} of ${answer.proxies}`,
    answer.ready ? { text: "yes", style: "good" } : { text: "no", style: "warning" },
    String(answer.findings.length),
  ]);
  stdout.write(renderTable(stdout, heads, rows));
  for (const { split, ready, reason, findings, ...others } of answers) {
    if (!ready) stdout.line(`\n${split}: ${reason}`);
    for (const { severity, field, message, hint, code } of findings) {
      const where = field === undefined ? "" : ` ${field}:`;
      stdout.line(`\n${split}: ${severity} ${code}:${where} ${message}\n  ${hint}`);
    }
    if (!isWide) continue;
    for (const state of ["behind", "silent", "unready"] as const) {
      for (const proxy of others[state]) stdout.line(`  ${state}: ${proxy}`);
    }
  }
}
