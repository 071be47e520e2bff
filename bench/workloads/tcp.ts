/** TCP that is relayed without being looked into. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { beside, compileC, existing } from "../contenders/files.ts";
import type { LoadTarget } from "../load/load.ts";
import { runStream } from "../load/stream.ts";
import { type Load, loadWorkload } from "./load_workload.ts";

const CONNECTIONS = 4;

function program({ folder }: LoadTarget): string {
  return existing(`${folder}/stream`) ??
    compileC(beside(import.meta.url, "../load/stream.c"), folder);
}

const LOADS: readonly Load[] = (["down", "up"] as const).map((way) => ({
  key: way,
  label: way,
  latency: [],
  run: (target) => runStream(program(target), target, { connections: CONNECTIONS, way }),
}));

export const TCP = loadWorkload({
  name: "tcp",
  title: "TCP",
  about:
    `${CONNECTIONS} connections that carry bytes as fast as they go: down, from the origins, and up. Weft's clients get to ` +
    "the opaque port by CONNECT, because `weft proxy` has no listener for one Service; nginx relays by its stream module.",
  variants: [{ label: "", job: { ...BASIC_JOB, clients: "tcp", origins: "stream" } }],
  loads: LOADS,
  unit: "MB",
  tools: ["gcc"],
  hasNoProxy: true,
  hasForms: false,
});
