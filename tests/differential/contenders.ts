/** The proxies that read the corpora: Weft, and nginx, HAProxy and nghttpx where they are installed. */
import { RawSocket } from "../support/raw_socket.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { freePort } from "../support/free_port.ts";

export interface ProxyContender extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  readonly port: number;
}

/** How long each waits for the rest of a request; the corpus has many that never end. */
const PATIENCE_MS = 250;

export async function startWeft(originPort: number): Promise<ProxyContender> {
  const proxy = await TestProxy.start(DRIVERS[0], {
    timeouts: { requestHeadMs: PATIENCE_MS, stallMs: PATIENCE_MS, clientIdleMs: PATIENCE_MS },
  });
  await proxy.route({ port: originPort });
  return {
    name: "Weft",
    version: "",
    port: proxy.port,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}

/** What `command` prints about itself, or null where it is not installed. */
export function versionOf(command: string): string | null {
  try {
    const { stdout, stderr } = new Deno.Command(command, {
      args: ["-v"],
      stdout: "piped",
      stderr: "piped",
    }).outputSync();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return /(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? "";
  } catch {
    return null;
  }
}

/** What clients speak; the origin is spoken to in HTTP/1.1. */
type ClientProtocol = "http1" | "http2";

export function startNginx(
  originPort: number,
  version: string,
  protocol: ClientProtocol = "http1",
): Promise<ProxyContender> {
  const config = (port: number, folder: string) => `
    daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
    events { worker_connections 256; }
    http {
      access_log off;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      client_header_timeout ${PATIENCE_MS}ms; client_body_timeout ${PATIENCE_MS}ms;
      keepalive_timeout ${PATIENCE_MS}ms; lingering_timeout ${PATIENCE_MS}ms; lingering_time 1s;
      server {
        listen 127.0.0.1:${port}${protocol === "http2" ? " http2" : ""};
        location / {
          proxy_pass http://127.0.0.1:${originPort};
          proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
          proxy_request_buffering off;
        }
      }
    }`;
  return start(
    "nginx",
    version,
    config,
    (file, folder) => ["-p", folder, "-c", file, "-e", "stderr"],
  );
}

export function startHaproxy(
  originPort: number,
  version: string,
  protocol: ClientProtocol = "http1",
): Promise<ProxyContender> {
  const config = (port: number) => `
defaults
  mode http
  timeout connect 1s
  timeout client ${PATIENCE_MS}ms
  timeout http-request ${PATIENCE_MS}ms
  timeout http-keep-alive ${PATIENCE_MS}ms
  timeout server 1s
frontend clients
  bind 127.0.0.1:${port}${protocol === "http2" ? " proto h2" : ""}
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`;
  return start("haproxy", version, config, (file) => ["-q", "-db", "-f", file]);
}

/** Of HTTP/2 only: clients of HTTP/1.1 are another's. */
export function startNghttpx(originPort: number, version: string): Promise<ProxyContender> {
  const config = (port: number) => `
frontend=127.0.0.1,${port};no-tls
backend=127.0.0.1,${originPort}
workers=1
accesslog-file=/dev/null
frontend-http2-read-timeout=${PATIENCE_MS}ms
`;
  return start("nghttpx", version, config, (file) => [`--conf=${file}`]);
}

async function start(
  command: string,
  version: string,
  config: (port: number, folder: string) => string,
  argumentsOf: (file: string, folder: string) => string[],
): Promise<ProxyContender> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  const file = `${folder}/config`;
  await Deno.writeTextFile(file, config(port, folder));
  const process = new Deno.Command(command, {
    args: argumentsOf(file, folder),
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const errors = new Response(process.stderr).text();
  let status: Deno.CommandStatus | null = null;
  const ended = process.status.then((value) => status = value);
  await until(`${command} to listen`, async () => {
    if (status !== null) throw new Error(`${command} ended: ${await errors}`);
    try {
      (await RawSocket.connect(port)).close();
      return true;
    } catch {
      return false;
    }
  }, (isListening) => isListening);
  return {
    name: command === "haproxy" ? "HAProxy" : command,
    version,
    port,
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await ended;
      await errors;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
