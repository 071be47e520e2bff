/** Bodies of HTTP/1.1 that are more than a proxy holds at once: of a length and in chunks, down and up. */
import { BASIC_JOB } from "../contenders/contender.ts";
import type { LoadTarget } from "../load/load.ts";
import { runWrk } from "../load/wrk.ts";
import { LARGE_FILES, UPLOAD_PATH } from "../origins.ts";
import { type Load, loadWorkload } from "./load_workload.ts";

const CONNECTIONS = 4;

function load(key: string, label: string, path: string, script?: (target: LoadTarget) => string) {
  return {
    key,
    label,
    latency: ["p50"],
    run: (target) =>
      runWrk(target, {
        connections: CONNECTIONS,
        scheme: "http",
        path,
        timeoutSeconds: 30,
        ...(script === undefined ? {} : { script: script(target) }),
      }),
  } satisfies Load;
}

function postScript({ folder }: LoadTarget): string {
  const script = `${folder}/post-large.lua`;
  const body = `string.rep("x", ${LARGE_FILES.mebibyte.bytes})`;
  Deno.writeTextFileSync(script, `wrk.method = "POST"\nwrk.body = ${body}\n`);
  return script;
}

export const BODIES = loadWorkload({
  name: "bodies",
  title: "HTTP/1.1, bodies of 1 MiB and 100 MiB",
  about: `${CONNECTIONS} kept connections: GET of a file, with its length and in chunks, and POST.`,
  variants: [{ label: "", job: BASIC_JOB }],
  loads: [
    load("1m-down", "1 MiB down", LARGE_FILES.mebibyte.path),
    load("1m-up", "1 MiB up", UPLOAD_PATH, postScript),
    load("1m-chunked", "1 MiB down in chunks", LARGE_FILES.mebibyte.chunkedPath),
    load("100m-down", "100 MiB down", LARGE_FILES.hundred.path),
  ],
  unit: "request",
  tools: ["wrk"],
  hasNoProxy: true,
  hasForms: false,
});
