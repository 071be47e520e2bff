/** nginx as a proxy, and the parts of its configuration that the origins need too. */
import { isInstalled, outputOf, Unavailable } from "../process.ts";
import { type Contender, type Job, routePath, type Setting, speaksGrpc } from "./contender.ts";
import { isListening, write } from "./files.ts";
import { PROXY_HOST } from "./mesh.ts";

/** Settings without which nginx's own defaults would close connections or write logs. */
export function nginxConfiguration(
  folder: string,
  blocks: string,
  size: { readonly workers: number; readonly connectionsMax: number },
): string {
  return `daemon off;
worker_processes ${size.workers};
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections ${2 * size.connectionsMax}; }
${blocks}
`;
}

/** An `http` block around `servers`. */
export function httpBlock(folder: string, servers: string): string {
  return `http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
${servers}
}`;
}

const CONNECTIONS_KEPT = "keepalive 128; keepalive_requests 1000000000;";

function listen({ job, port, certificate }: Setting): string {
  const place = `listen 127.0.0.1:${port} backlog=4096`;
  switch (job.clients) {
    case "http2":
      return `${place} http2;`;
    case "tls":
      return `${place} ssl;
    ssl_certificate ${certificate.chain};
    ssl_certificate_key ${certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;`;
    default:
      return `${place};`;
  }
}

/** What every location needs: settings of a server do not reach locations of gRPC under the names of HTTP. */
function passTo({ origins }: Job, upstream: string): string {
  return speaksGrpc(origins) ? `grpc_pass grpc://${upstream};` : `proxy_pass http://${upstream};`;
}

function httpServer(setting: Setting): string {
  const { job, origins: [v1, v2] } = setting;
  const routes = Array.from(
    { length: job.routes },
    (_, i) => `    location ^~ ${routePath(i)} { ${passTo(job, "canary")} }`,
  );
  return httpBlock(
    setting.folder,
    `  upstream v1 { server 127.0.0.1:${v1}; ${CONNECTIONS_KEPT} }
  upstream canary {
    server 127.0.0.1:${v1} weight=75;
    server 127.0.0.1:${v2} weight=25;
    ${CONNECTIONS_KEPT}
  }
  server {
    ${listen(setting)}
    server_name ${PROXY_HOST};
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    ${
      job.origins === "websocket"
        ? 'proxy_set_header Connection "Upgrade"; proxy_set_header Upgrade $http_upgrade;'
        : 'proxy_set_header Connection "";'
    }
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    location ~ ^/test { ${passTo(job, "canary")} }
${routes.join("\n")}
    location / { ${passTo(job, "v1")} }
  }`,
  );
}

function streamServer(setting: Setting): string {
  const { origins: [v1, v2] } = setting;
  return `stream {
  upstream canary { server 127.0.0.1:${v1} weight=75; server 127.0.0.1:${v2} weight=25; }
  server { ${listen(setting)} proxy_pass canary; }
}`;
}

/** The line that loads the module for TCP; empty if it is built in. Null: there is none. */
function loadStream(): string | null {
  const built = outputOf("nginx", ["-V"]);
  if (/--with-stream(\s|$)/.test(built)) return "";
  const folder = /--modules-path=(\S+)/.exec(built)?.[1] ?? "";
  const module = `${folder}/ngx_stream_module.so`;
  try {
    Deno.statSync(module);
    return `load_module ${module};\n`;
  } catch {
    return null;
  }
}

export const NGINX: Contender = {
  name: "nginx",
  note: "worker processes beside a master",
  takesConnect: false,
  isOtherForm: false,
  version: () => isInstalled("nginx") ? outputOf("nginx", ["-v"]).trim() : null,
  can: ({ isPair = false }) => !isPair,
  prepare(setting) {
    const isTcp = setting.job.clients === "tcp";
    const module = isTcp ? loadStream() : "";
    if (module === null) throw new Unavailable("nginx has no stream module here");
    const block = isTcp ? streamServer(setting) : httpServer(setting);
    const text = module + nginxConfiguration(setting.folder, block, setting.job);
    return ["nginx", "-p", setting.folder, "-c", write(setting, "nginx.conf", text)];
  },
  isReady: isListening,
};
