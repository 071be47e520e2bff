/** Many small messages on what stays open: streams of gRPC, and WebSocket. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { runGrpcStreams, runWebSocket } from "../load/own.ts";
import { type Load, loadWorkload } from "./load_workload.ts";

const WEBSOCKETS = 1_000;
const [CONNECTIONS, STREAMS] = [4, 8];

function streams(way: "down" | "both", label: string): Load {
  return {
    key: way,
    label,
    latency: ["p50", "p99"],
    run: (target) => runGrpcStreams(target, { connections: CONNECTIONS, streams: STREAMS, way }),
  };
}

const COMMON = { unit: "message", tools: ["gcc"], hasNoProxy: true, hasForms: false } as const;

export const GRPC_STREAMS = loadWorkload({
  ...COMMON,
  name: "grpc-streams",
  title: "gRPC, streams",
  about:
    `Calls with one message and 1 000 answers, and with 1 000 either way, over ${CONNECTIONS} connections of ${STREAMS} streams, without TLS on either ` +
    "side. A message has 13 bytes and is a frame of its own. Times are of a call.",
  variants: [{
    label: "",
    job: { ...BASIC_JOB, clients: "http2", origins: "grpc-streams" },
  }],
  loads: [streams("down", "1 to 1 000"), streams("both", "1 000 both ways")],
});

export const WEBSOCKET_MESSAGES = loadWorkload({
  ...COMMON,
  name: "websocket",
  title: "WebSocket, messages of 100 bytes",
  about:
    `${WEBSOCKETS} connections, on each of which a message is answered by one as long before the next one is sent.`,
  variants: [{ label: "", job: { ...BASIC_JOB, origins: "websocket" } }],
  loads: [{
    key: "",
    label: "",
    latency: ["p50", "p99"],
    run: (target) => runWebSocket(target, WEBSOCKETS),
  }],
});
