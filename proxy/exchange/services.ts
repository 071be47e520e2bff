/** What the exchanges of one event loop share. */
import type { Loop } from "../loop/loop.ts";
import type { Telemetry } from "../observe/telemetry.ts";
import type { Tracer } from "../tracing/tracer.ts";
import type { Mirrors } from "./mirror.ts";
import type { Dialer } from "./sides.ts";

export interface ExchangeServices {
  readonly loop: Loop;
  readonly telemetry: Telemetry;
  readonly tracer: Tracer;
  readonly dialer: Dialer;
  readonly mirrors: Mirrors;
}
