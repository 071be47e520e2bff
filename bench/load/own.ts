/** Runs loads of ours that print a line as `steady` does: `websocket.c`, `grpc_streams.c`, `handshakes.c`. */
import { beside, compileC, existing } from "../contenders/files.ts";
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { GRPC_PATH } from "../origins.ts";
import { type LoadResult, type LoadTarget, runLoad } from "./load.ts";
import { parseSteady } from "./outputs.ts";

/** Messages of 100 bytes, one under way on each connection. */
export function runWebSocket(target: LoadTarget, connections: number): Promise<LoadResult> {
  const args = [target.port, connections, target.seconds, PROXY_AUTHORITY, "/test"];
  return run(target, "websocket", ["load", ...args]);
}

/** Calls with one message and 1,000 answers (`down`), or with 1,000 either way (`both`). Units are messages. */
export function runGrpcStreams(
  target: LoadTarget,
  { connections, streams, way }: { connections: number; streams: number; way: "down" | "both" },
): Promise<LoadResult> {
  const args = [target.port, connections, streams, target.seconds, way, PROXY_AUTHORITY, GRPC_PATH];
  return run(target, "grpc_streams", ["load", ...args]);
}

/** New connections with TLS 1.3, each with a request. */
export function runHandshakes(
  target: LoadTarget,
  { clients, kind }: { clients: number; kind: "full" | "resumed" },
): Promise<LoadResult> {
  const args = [target.port, clients, target.seconds, kind, PROXY_AUTHORITY, "/test"];
  return run(target, "handshakes", args, ["-lssl", "-lcrypto"]);
}

async function run(
  { folder, cores }: LoadTarget,
  name: string,
  args: readonly (string | number)[],
  libraries: readonly string[] = [],
): Promise<LoadResult> {
  const program = existing(`${folder}/${name}`) ??
    compileC(beside(import.meta.url, `${name}.c`), folder, libraries);
  return parseSteady(await runLoad(cores, [program, ...args.map(String)]));
}
