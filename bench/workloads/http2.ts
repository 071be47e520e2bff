/** HTTP/2: to origins of HTTP/1.1, and gRPC from end to end. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { runH2load } from "../load/h2load.ts";
import { GRPC_PATH, GRPC_REQUEST } from "../origins.ts";
import { loadWorkload } from "./load_workload.ts";

const CONNECTIONS = 8;
const STREAMS = 16;
const LOAD = { connections: CONNECTIONS, streams: STREAMS };
const HOW = `over ${CONNECTIONS} connections of ${STREAMS} streams, without TLS`;

const COMMON = { unit: "request", tools: ["h2load"], hasForms: false } as const;
const HTTP2_JOB = { ...BASIC_JOB, clients: "http2" } as const;

export const HTTP2_WORKLOADS = loadWorkload({
  ...COMMON,
  name: "http2",
  title: "HTTP/2 to HTTP/1.1",
  about: `GET, 13 bytes back, ${HOW}; origins speak HTTP/1.1.`,
  variants: [{ label: "", job: HTTP2_JOB }],
  loads: [{
    key: "",
    label: "",
    latency: ["mean"],
    run: (target) => runH2load(target, { ...LOAD, path: "/test" }),
  }],
  hasNoProxy: false,
});

export const GRPC = loadWorkload({
  ...COMMON,
  name: "grpc",
  title: "gRPC, unary",
  about:
    `A message of 7 bytes, 13 back with \`grpc-status\` in trailers, ${HOW} on either side; origins are nghttpd.`,
  variants: [{ label: "", job: { ...HTTP2_JOB, origins: "grpc" } }],
  loads: [{
    key: "",
    label: "",
    latency: ["mean"],
    run(target) {
      const body = `${target.folder}/grpc_request`;
      Deno.writeTextFileSync(body, GRPC_REQUEST);
      const headers = ["content-type: application/grpc", "te: trailers"];
      return runH2load(target, { ...LOAD, path: GRPC_PATH, headers, body });
    },
  }],
  hasNoProxy: true,
});
