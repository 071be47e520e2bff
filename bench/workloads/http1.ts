/** HTTP/1.1 of kept connections: small answers, plain and over TLS, and bodies of 64 KiB either way. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { runSteady } from "../load/steady.ts";
import { runHandshakes } from "../load/own.ts";
import { runWrk, type WrkLoad } from "../load/wrk.ts";
import { FILE_BYTES, FILE_PATH, UPLOAD_PATH } from "../origins.ts";
import { type Load, loadWorkload } from "./load_workload.ts";

const BODY_CONNECTIONS = 16;

function smallLoads(scheme: WrkLoad["scheme"]): Load[] {
  return [64, 1].map((connections) => ({
    key: String(connections),
    label: `${connections} conn.`,
    latency: ["p50", "p99"],
    run: (target) => runWrk(target, { connections, scheme, path: "/test" }),
  }));
}

function steadyLoad(connections: number, rate: number): Load {
  return {
    key: "steady",
    label: `${rate.toLocaleString("en").replace(",", " ")} a second`,
    latency: ["p50", "p99", "p99.9"],
    run: (target) => runSteady(target, { connections, rate }),
  };
}

const COMMON = {
  variants: [{ label: "", job: BASIC_JOB }],
  unit: "request",
  tools: ["wrk"],
  hasNoProxy: true,
  hasForms: false,
} as const;

export const HTTP1_WORKLOADS = loadWorkload({
  ...COMMON,
  name: "http1",
  title: "HTTP/1.1, small answers",
  about: "GET, 13 bytes back, over 64 kept connections and over one. Memory is after the load.",
  loads: smallLoads("http"),
  hasForms: true,
});

export const STEADY = loadWorkload({
  ...COMMON,
  name: "steady",
  title: "HTTP/1.1, small answers at a steady rate",
  about:
    "A request every 100 µs over 64 kept connections, whatever becomes of the answers; times count from when a request was due. " +
    "A pause of a collector shows in p99.9; `--seconds 600` looks for it over ten minutes.",
  loads: [steadyLoad(64, 10_000)],
  tools: ["gcc"],
});

export const EXTRAS = loadWorkload({
  ...COMMON,
  name: "extras",
  title: "HTTP/1.1, small answers, with everything on",
  about:
    "The load of small answers over 64 connections, without and with an access log in JSON, spans of 1 % of the requests, a rate limit that is not " +
    "reached, a time limit and retries.",
  variants: [
    { label: "plain", job: BASIC_JOB },
    { label: "everything on", job: { ...BASIC_JOB, hasExtras: true } },
  ],
  loads: smallLoads("http").slice(0, 1).map((load) => ({ ...load, key: "", label: "" })),
  hasNoProxy: false,
});

export const TLS_WORKLOADS = loadWorkload({
  ...COMMON,
  name: "tls",
  title: "HTTP/1.1 over TLS 1.3",
  about: "As above, with clients that speak TLS 1.3 (ECDSA P-256); origins are plain.",
  variants: [{ label: "", job: { ...BASIC_JOB, clients: "tls" } }],
  loads: smallLoads("https"),
  tools: ["wrk", "openssl"],
  hasNoProxy: false,
});

export const PAIR_WORKLOADS = loadWorkload({
  ...COMMON,
  name: "pair",
  title: "Two sidecars, mutual TLS 1.3 between them",
  about:
    "The whole way of a call in a mesh: client, its sidecar, mutual TLS (ECDSA P-256, both sides verified), the server's sidecar, application. " +
    "Both proxies of a pair share one core; CPU and memory are of both. At a steady rate, over 16 connections, times count from when a request was due.",
  variants: [{ label: "", job: { ...BASIC_JOB, isPair: true } }],
  loads: [...smallLoads("http"), steadyLoad(16, 1_000)],
  tools: ["wrk", "openssl", "gcc"],
});

export const BODY_DOWN = loadWorkload({
  ...COMMON,
  name: "body-down",
  title: "HTTP/1.1, answers of 64 KiB",
  about: `GET of a file over ${BODY_CONNECTIONS} kept connections.`,
  loads: [{
    key: "",
    label: "",
    latency: ["p50", "p99"],
    run: (target) =>
      runWrk(target, { connections: BODY_CONNECTIONS, scheme: "http", path: FILE_PATH }),
  }],
});

export const BODY_UP = loadWorkload({
  ...COMMON,
  name: "body-up",
  title: "HTTP/1.1, requests of 64 KiB",
  about: `POST over ${BODY_CONNECTIONS} kept connections; 13 bytes back once all has arrived.`,
  loads: [{
    key: "",
    label: "",
    latency: ["p50", "p99"],
    run(target) {
      const script = `${target.folder}/post.lua`;
      Deno.writeTextFileSync(
        script,
        `wrk.method = "POST"\nwrk.body = string.rep("x", ${FILE_BYTES})\n`,
      );
      const load = { connections: BODY_CONNECTIONS, scheme: "http", path: UPLOAD_PATH } as const;
      return runWrk(target, { ...load, script });
    },
  }],
});

export const NEW_CONNECTIONS = loadWorkload({
  ...COMMON,
  name: "new-connections",
  title: "HTTP/1.1, a new connection for each request",
  about: "`Connection: close`, 64 clients at once; proxies keep their connections to the origins.",
  loads: [{
    key: "",
    label: "",
    latency: ["p50", "p99"],
    run: (target) =>
      runWrk(target, {
        connections: 64,
        scheme: "http",
        path: "/test",
        headers: ["Connection: close"],
      }),
  }],
});

export const HANDSHAKES = loadWorkload({
  ...COMMON,
  name: "handshakes",
  title: "TLS 1.3, a new connection for each request",
  about:
    "ECDSA P-256, full handshakes and resumed ones, 16 clients at once, each with a request that says `Connection: close`. Times are of a connection.",
  variants: [{ label: "", job: { ...BASIC_JOB, clients: "tls" } }],
  loads: (["full", "resumed"] as const).map((kind) => ({
    key: kind,
    label: kind,
    latency: ["p50", "p99"],
    run: (target) => runHandshakes(target, { clients: 16, kind }),
  })),
  unit: "connection",
  tools: ["gcc", "openssl"],
  hasNoProxy: false,
});
