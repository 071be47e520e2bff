/** Every workload, in the order of the tables. */
import { BODIES, BODIES_HTTP2, BODIES_TLS, BODIES_UP } from "./bodies.ts";
import { CONTROLLER_COSTS } from "./controller.ts";
import {
  BODY_DOWN,
  BODY_UP,
  EXTRAS,
  HANDSHAKES,
  HTTP1_WORKLOADS,
  NEW_CONNECTIONS,
  PAIR_WORKLOADS,
  STEADY,
  TLS_WORKLOADS,
} from "./http1.ts";
import { GRPC, HTTP2_WORKLOADS } from "./http2.ts";
import { IDLE_WORKLOADS, TLS_IDLE } from "./idle.ts";
import { GRPC_STREAMS, WEBSOCKET_MESSAGES } from "./messages.ts";
import { METRICS_COSTS } from "./metrics.ts";
import { MICRO } from "./micro.ts";
import { PLAN_COSTS } from "./plans.ts";
import { ROUTES } from "./routes.ts";
import { START_UP } from "./start_up.ts";
import { TCP } from "./tcp.ts";
import { WORKERS } from "./workers.ts";
import type { BenchWorkload } from "./workload.ts";

export const WORKLOADS: readonly BenchWorkload[] = [
  HTTP1_WORKLOADS,
  STEADY,
  EXTRAS,
  BODY_DOWN,
  BODY_UP,
  BODIES,
  BODIES_UP,
  BODIES_TLS,
  BODIES_HTTP2,
  NEW_CONNECTIONS,
  TLS_WORKLOADS,
  HANDSHAKES,
  PAIR_WORKLOADS,
  HTTP2_WORKLOADS,
  GRPC,
  GRPC_STREAMS,
  WEBSOCKET_MESSAGES,
  TCP,
  ROUTES,
  WORKERS,
  IDLE_WORKLOADS,
  TLS_IDLE,
  START_UP,
  PLAN_COSTS,
  CONTROLLER_COSTS,
  METRICS_COSTS,
  MICRO,
];
