/** The work of `weft status`: asks the controller through the API server, once or until a split is in force everywhere. */
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { type Cell, renderTable } from "../../console/table.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import type { RolloutAnswer } from "../../controller/rollout/answers.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { PROGRESS_LOOK_MS } from "../limits.ts";
import { askController, ControllerAway, nameIn, splitsOf, type StatusOptions } from "./ask.ts";
import { showPlainCallers } from "./plain.ts";
import { watchSplit } from "./watch.ts";

export async function status(
  split: string | undefined,
  options: StatusOptions,
  environment: Environment,
): Promise<ExitCode> {
  if (options.plain) {
    if (split === undefined && !options.wait && !options.watch) {
      return await showPlainCallers(options, environment);
    }
    throw usageFailure(
      "--plain is of a namespace, and neither of a split nor to be waited for",
      "Write it like weft status --plain -n shop.",
    );
  }
  const name = split === undefined ? undefined : nameIn(split);
  const limitMs = parseTimeLimitMs(options.timeout ?? (options.watch ? "none" : "60s"));
  if (options.watch) {
    if (name !== undefined && !options.wait) {
      return await watchSplit(name, limitMs, options, environment);
    }
    throw usageFailure(
      "--watch is of one split, and without --wait",
      "Write it like weft status trafficsplit/web --watch.",
    );
  }
  const { stdout, stderr } = environment;
  const answers = await withCluster(options, environment, async (client) => {
    const namespace = options.namespace ?? await client.namespace();
    const names = name === undefined ? await splitsOf(client, namespace) : [name];
    const ask = () => askController(client, names.map((each) => `${namespace}/${each}`), options);
    if (!options.wait) return await ask();
    return await untilReady(ask, limitMs, (line) => stderr.line(line));
  });
  if (options.output === "json") {
    stdout.line(JSON.stringify(split === undefined ? answers : answers[0], null, 2));
  } else if (answers.length === 0) stderr.line("No TrafficSplits in this namespace");
  else print(answers, options.output === "wide", environment);
  return options.wait && !answers.every(({ ready }) => ready) ? EXIT.failed : EXIT.ok;
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
