/** Bodies that are more than a proxy holds at once: of a length and in chunks, down and up, also over TLS and HTTP/2. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { runH2load } from "../load/h2load.ts";
import type { LoadTarget } from "../load/load.ts";
import { runWrk, type WrkLoad } from "../load/wrk.ts";
import { LARGE_FILES, UPLOAD_PATH } from "../origins.ts";
import { type Load, loadWorkload } from "./load_workload.ts";

const CONNECTIONS = 4;

interface Body {
  readonly key: string;
  readonly label: string;
  readonly path: string;
  readonly connections?: number;
  /** Lua that says what is sent, for wrk; left out: a GET. */
  readonly lua?: string;
}

const { mebibyte, hundred } = LARGE_FILES;

function post(bytes: number): string {
  return `wrk.method = "POST"\nwrk.body = string.rep("x", ${bytes})\n`;
}

/** As applications send what they do not know the length of. */
const POST_CHUNKED = `local chunk = "8000\\r\\n" .. string.rep("x", 32768) .. "\\r\\n"
local body = string.rep(chunk, ${mebibyte.bytes / 32_768}) .. "0\\r\\n\\r\\n"
function request()
  wrk.headers["Transfer-Encoding"] = "chunked"
  text = text or wrk.format("POST") .. body
  return text
end
`;

const DOWN: Body = { key: "1m-down", label: "1 MiB down", path: mebibyte.path };
const UP: Body = {
  key: "1m-up",
  label: "1 MiB up",
  path: UPLOAD_PATH,
  lua: post(mebibyte.bytes),
};

function byWrk(
  { key, label, path, lua, connections = CONNECTIONS }: Body,
  scheme: WrkLoad["scheme"] = "http",
): Load {
  return {
    key,
    label,
    latency: ["p50"],
    run: (target) =>
      runWrk(target, {
        connections,
        scheme,
        path,
        timeoutSeconds: 30,
        ...(lua === undefined ? {} : { script: written(target, `${key}.lua`, lua) }),
      }),
  };
}

function byH2load({ key, label, path, lua }: Body): Load {
  return {
    key,
    label,
    latency: ["mean"],
    run(target) {
      const load = { connections: CONNECTIONS, streams: 1, path };
      if (lua === undefined) return runH2load(target, load);
      const body = written(target, `${key}.body`, "x".repeat(mebibyte.bytes));
      return runH2load(target, { ...load, body });
    },
  };
}

function written({ folder }: LoadTarget, name: string, text: string): string {
  Deno.writeTextFileSync(`${folder}/${name}`, text);
  return `${folder}/${name}`;
}

const COMMON = { unit: "request", tools: ["wrk"], hasNoProxy: true, hasForms: false } as const;

export const BODIES = loadWorkload({
  ...COMMON,
  name: "bodies",
  title: "HTTP/1.1, bodies of 1 MiB and 100 MiB",
  about: `${CONNECTIONS} kept connections: GET of a file, with its length and in chunks, and POST.`,
  variants: [{ label: "", job: BASIC_JOB }],
  loads: [
    byWrk(DOWN),
    byWrk(UP),
    byWrk({ key: "1m-chunked", label: "1 MiB down in chunks", path: mebibyte.chunkedPath }),
    byWrk({ key: "100m-down", label: "100 MiB down", path: hundred.path }),
  ],
});

export const BODIES_UP = loadWorkload({
  ...COMMON,
  name: "bodies-up",
  title: "HTTP/1.1, bodies up in chunks, and of 100 MiB",
  about: `POST over ${CONNECTIONS} kept connections, of 100 MiB over one; chunks have 32 KiB.`,
  variants: [{ label: "", job: BASIC_JOB }],
  loads: [
    byWrk({ ...UP, key: "1m-up-chunked", label: "1 MiB up in chunks", lua: POST_CHUNKED }),
    byWrk({ ...UP, key: "100m-up", label: "100 MiB up", lua: post(hundred.bytes), connections: 1 }),
  ],
});

export const BODIES_TLS = loadWorkload({
  ...COMMON,
  name: "bodies-tls",
  title: "HTTP/1.1 over TLS 1.3, bodies of 1 MiB",
  about: `${CONNECTIONS} kept connections; origins are plain.`,
  variants: [{ label: "", job: { ...BASIC_JOB, clients: "tls" } }],
  loads: [byWrk(DOWN, "https"), byWrk(UP, "https")],
  tools: ["wrk", "openssl"],
  hasNoProxy: false,
});

export const BODIES_HTTP2 = loadWorkload({
  ...COMMON,
  name: "bodies-http2",
  title: "HTTP/2 to HTTP/1.1, bodies of 1 MiB",
  about: `${CONNECTIONS} connections of one stream at a time, without TLS.`,
  variants: [{ label: "", job: { ...BASIC_JOB, clients: "http2" } }],
  loads: [byH2load(DOWN), byH2load(UP)],
  tools: ["h2load"],
  hasNoProxy: false,
});
