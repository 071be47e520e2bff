/** Waits for the controllers of an installation, and says how far they are whenever that changes. */
import { withDeadline } from "../../base/deadline.ts";
import { CommandFailure } from "../../console/exit.ts";
import type { Output } from "../../console/output.ts";
import { findObject, progressOf, troublesOf } from "../../controller/install/cluster.ts";
import { CONTROLLER } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { PROGRESS_LOOK_MS } from "../limits.ts";

interface Wait {
  readonly namespace: string;
  readonly limitMs: number;
  /** The same, as it was written. */
  readonly timeout: string;
}

/** @throws {CommandFailure} they are not ready in time; the cluster's own reason is in it */
export async function waitForController(
  client: KubeClient,
  { namespace, limitMs, timeout }: Wait,
  stdout: Output,
): Promise<void> {
  const metadata = { name: CONTROLLER, namespace };
  const find = () => findObject(client, { apiVersion: "apps/v1", kind: "Deployment", metadata });
  const troubles = (deployment: Awaited<ReturnType<typeof find>>) =>
    troublesOf(client, { namespace, app: CONTROLLER }, deployment ?? {});
  const said = new Set<string>();
  let isLate = false;
  const waiting = async () => {
    while (!isLate) {
      const deployment = await find();
      const { ready, wanted, isDone } = progressOf(deployment ?? {});
      const reasons = isDone ? [] : (await troubles(deployment)).map(({ reason }) => reason);
      const why = reasons.length === 0 ? "" : ` (${[...new Set(reasons)].join(", ")})`;
      const line = `${CONTROLLER}: ${ready} of ${wanted} ready${why}`;
      if (!said.has(line) && !isLate) stdout.line(line);
      said.add(line);
      if (isDone) return true;
      await new Promise((resolve) => setTimeout(resolve, PROGRESS_LOOK_MS));
    }
    return false;
  };
  const isDone = await withDeadline(waiting(), limitMs, () => {
    isLate = true;
    return false;
  });
  if (isDone) return;
  const found = await find().then(troubles).catch(() => []);
  const lines = found.map(({ who, reason, message }) =>
    [who, reason, message].filter(Boolean).join(": ")
  );
  const [first] = found;
  const why = first === undefined ? "" : `: ${[first.reason, first.message].join(": ")}`;
  throw new CommandFailure(`${CONTROLLER} was not ready within ${timeout}${why}`, {
    hint: lines.join("\n  ") ||
      `See kubectl get pods -n ${namespace}; weft install may be run again.`,
  });
}
