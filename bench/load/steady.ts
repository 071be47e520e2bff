/** Runs `steady.c`, the load at a rate that does not depend on the answers. */
import { beside, compileC, existing } from "../contenders/files.ts";
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, runLoad } from "./load.ts";
import { parseSteady } from "./outputs.ts";

/** Small answers over `connections` kept connections, `rate` a second. Latencies count from when a request was due. */
export async function runSteady(
  target: LoadTarget,
  { connections, rate }: { readonly connections: number; readonly rate: number },
): Promise<LoadResult> {
  const program = existing(`${target.folder}/steady`) ??
    compileC(beside(import.meta.url, "steady.c"), target.folder);
  const numbers = [target.port, connections, rate, target.seconds].map(String);
  return parseSteady(
    await runLoad(target.cores, [program, ...numbers, PROXY_AUTHORITY, "/test"]),
  );
}
