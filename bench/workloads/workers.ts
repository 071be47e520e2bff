/** What a second worker brings. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { runWrk } from "../load/wrk.ts";
import { CORES_FOR_TWO_WORKERS } from "../session.ts";
import { loadWorkload } from "./load_workload.ts";

export const WORKERS = loadWorkload({
  name: "workers",
  title: "1 and 2 workers",
  about:
    "The load of small answers over 64 connections. Two workers have two cores; with fewer cores than " +
    `${CORES_FOR_TWO_WORKERS} they share one of those with wrk and the origins, and only CPU a request says something.`,
  variants: [
    { label: "1 worker", job: BASIC_JOB },
    { label: "2 workers", job: { ...BASIC_JOB, workers: 2 } },
  ],
  loads: [{
    key: "",
    label: "",
    latency: ["p50", "p99"],
    run: (target) => runWrk(target, { connections: 64, scheme: "http", path: "/test" }),
  }],
  unit: "request",
  tools: ["wrk"],
  hasNoProxy: false,
  hasForms: false,
});
