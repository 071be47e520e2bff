/**
 * A controller's reading of sidecars, by itself in a process of its own: at each line of its input, for so many seconds as that says, all sidecars as
 * often as the SMI metrics API reads them while it is asked; it answers with the CPU seconds that this took. Ends with its input.
 */
import { cpuUsage } from "node:process";
import { readLines } from "../../base/lines.ts";
import {
  readSidecarMetrics,
  SidecarHistory,
} from "../../controller/smi_metrics/sidecar_history.ts";
import { sidecarAddress } from "./sidecar_address.ts";

const LINE_BYTES_MAX = 1_024;

export interface SidecarReading {
  /** Sidecars that have answered, of all. */
  readonly read: number;
  readonly cpuSeconds: number;
}

const pods = Array.from({ length: Number(Deno.args[0]) }, (_, index) => ({
  ...{ namespace: "shop", name: `web-${index}`, workload: "Deployment/web" },
  address: sidecarAddress(index),
}));
const history = new SidecarHistory({ pods: () => pods, read: readSidecarMetrics });

function cpuSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

for await (const line of readLines(Deno.stdin.readable, () => LINE_BYTES_MAX)) {
  // The first question, after which they are read in turn; connections are open then.
  await history.window(0);
  const before = cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, Number(line) * 1_000));
  const reading: Omit<SidecarReading, "read"> = { cpuSeconds: cpuSeconds() - before };
  const { traffic } = await history.window(0);
  console.log(JSON.stringify({ ...reading, read: traffic.length }));
}
await history.stop();
