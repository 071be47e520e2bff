/** Every workload, in the order of the tables. */
import { BODY_DOWN, BODY_UP, HTTP1, NEW_CONNECTIONS, TLS } from "./http1.ts";
import { GRPC, HTTP2 } from "./http2.ts";
import { IDLE, TLS_IDLE } from "./idle.ts";
import { MICRO } from "./micro.ts";
import { ROUTES } from "./routes.ts";
import { START_UP } from "./start_up.ts";
import { TCP } from "./tcp.ts";
import { WORKERS } from "./workers.ts";
import type { Workload } from "./workload.ts";

export const WORKLOADS: readonly Workload[] = [
  HTTP1,
  BODY_DOWN,
  BODY_UP,
  NEW_CONNECTIONS,
  TLS,
  HTTP2,
  GRPC,
  TCP,
  ROUTES,
  WORKERS,
  IDLE,
  TLS_IDLE,
  START_UP,
  MICRO,
];
