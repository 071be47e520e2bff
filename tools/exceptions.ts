/**
 * What breaks the rules of imports today. Entries only go: tests/import_graph_test.ts names those that no longer break
 * a rule, and each is one line to delete. New code gets none.
 */
import { resolveImport } from "./layers.ts";

/** Files that stand in a circle of imports. */
export const CIRCLES: readonly string[] = [
  "proxy/exchange/attempts.ts",
  "proxy/exchange/carrier_source.ts",
  "proxy/exchange/exchange.ts",
  "proxy/exchange/head_changes.ts",
  "proxy/exchange/mirror.ts",
  "proxy/exchange/report.ts",
  "proxy/exchange/request_copy.ts",
  "proxy/exchange/sides.ts",
  "proxy/http1/upstream.ts",
  "proxy/http2/client_stream.ts",
  "proxy/http2/downstream.ts",
  "proxy/http2/server_stream.ts",
  "proxy/http2/socket.ts",
  "proxy/http2/stream.ts",
  "proxy/http2/text.ts",
  "proxy/http2/upstream.ts",
  "proxy/loop/context.ts",
  "proxy/loop/inbox.ts",
  "proxy/loop/socket.ts",
  "proxy/loop/tunnel.ts",
  "proxy/policy/backend_state.ts",
  "proxy/policy/policy_run.ts",
  "proxy/policy/route_state.ts",
  "proxy/pool/pool.ts",
  "proxy/pool/pools.ts",
  "proxy/relay/downstream.ts",
  "proxy/relay/upstream.ts",
  "proxy/route/destination.ts",
  "proxy/route/mirror_router.ts",
  "proxy/route/router.ts",
];

/** `path name`: exports that no other file uses. */
export const UNUSED_EXPORTS: readonly string[] = [
  "proxy/http1/answer.ts Answer",
  "proxy/loop/context.ts Sender",
  "proxy/loop/context.ts Starved",
  "proxy/policy/policy_run.ts Verdict",
];

/** `path -> path`: imports that go against the order of rooms. */
export const IMPORTS: readonly string[] = [
  "proxy/exchange/carrier_source.ts -> proxy/http1/upstream.ts",
  "proxy/exchange/carrier_source.ts -> proxy/http2/upstream.ts",
  "proxy/exchange/request_copy.ts -> proxy/http2/text.ts",
  "proxy/http1/downstream.ts -> proxy/http2/downstream.ts",
  "proxy/http2/downstream.ts -> proxy/accept/detecting.ts",
  "proxy/http2/server_stream.ts -> proxy/http1/answer.ts",
  "proxy/loop/context.ts -> proxy/http1/pieces.ts",
  "proxy/loop/context.ts -> proxy/observe/telemetry.ts",
  "proxy/loop/context.ts -> proxy/pool/pools.ts",
  "proxy/loop/context.ts -> proxy/tracing/tracer.ts",
  "proxy/loop/socket.ts -> proxy/http1/pieces.ts",
  "proxy/pool/pool.ts -> proxy/http1/upstream.ts",
  "proxy/pool/pool.ts -> proxy/http2/upstream.ts",
];

export function isExceptedImport(path: string, specifier: string): boolean {
  return IMPORTS.includes(`${path} -> ${resolveImport(path, specifier)}`);
}
