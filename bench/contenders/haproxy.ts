/** HAProxy as a proxy. */
import { isInstalled, outputOf } from "../process.ts";
import { type Contender, routePath, type Setting, speaksGrpc } from "./contender.ts";
import { isListening, write } from "./files.ts";
import { isPairListening, pairOf } from "./pair.ts";

function bind(setting: Setting): string {
  const place = `bind 127.0.0.1:${setting.port} backlog 4096`;
  switch (setting.job.clients) {
    case "http2":
      return `${place} proto h2`;
    case "tls":
      return `${place} ssl crt ${pem(setting)}`;
    default:
      return place;
  }
}

/** HAProxy wants chain and key in one file. */
function pem(setting: Setting): string {
  const { chain, key } = setting.certificate;
  return write(setting, "server.pem", Deno.readTextFileSync(chain) + Deno.readTextFileSync(key));
}

/** By a map of prefixes, the way its manual recommends for many routes. */
function useRoutes(setting: Setting): string {
  if (setting.job.routes === 0) return "";
  const lines = Array.from({ length: setting.job.routes }, (_, i) => `${routePath(i)} canary\n`);
  const map = write(setting, "routes.map", lines.join(""));
  return `  use_backend %[path,map_beg(${map})] if { path,map_beg(${map}) -m found }\n`;
}

function frontend(setting: Setting): string {
  if (setting.job.clients === "tcp") return "  default_backend canary";
  return `  acl is_test path_reg ^/test
  use_backend canary if is_test
${useRoutes(setting)}  default_backend v1`;
}

function pair(setting: Setting): string[] {
  const { job, port, peerPort, origins: [v1], certificate: { chain } } = setting;
  const tls = `ssl crt ${pem(setting)} ca-file ${chain} verify required ssl-min-ver TLSv1.3`;
  const half = (name: string, bind: string, server: string) => {
    const text = `global
  nbthread 1
  maxconn ${job.connectionsMax}
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend in
  ${bind} backlog 4096
  default_backend out
backend out
  server one ${server}
`;
    return ["haproxy", "-f", write(setting, name, text)];
  };
  return pairOf(
    half("client.cfg", `bind 127.0.0.1:${port}`, `127.0.0.1:${peerPort} ${tls}`),
    half("server.cfg", `bind 127.0.0.1:${peerPort} ${tls}`, `127.0.0.1:${v1}`),
  );
}

export const HAPROXY: Contender = {
  name: "HAProxy",
  note: "`nbthread` is the number of workers",
  takesConnect: false,
  isOtherForm: false,
  version: () =>
    isInstalled("haproxy") ? outputOf("haproxy", ["-v"]).split("\n")[0].split(" - ")[0] : null,
  can: () => true,
  prepare(setting) {
    const { job, origins: [v1, v2] } = setting;
    if (job.isPair === true) return pair(setting);
    const isTcp = job.clients === "tcp";
    const server = speaksGrpc(job.origins) ? " proto h2" : "";
    // Strict limits: it would not start where a process may not open two files for each connection it might get.
    const text = `global
  nbthread ${job.workers}
  maxconn ${job.connectionsMax}
  no strict-limits
defaults
  mode ${isTcp ? "tcp" : "http"}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
${isTcp ? "" : "  option forwardfor\n  http-reuse always\n"}frontend outbound
  ${bind(setting)}
${frontend(setting)}
backend v1
  server v1 127.0.0.1:${v1}${server}
backend canary
  balance roundrobin
  server v1 127.0.0.1:${v1} weight 75${server}
  server v2 127.0.0.1:${v2} weight 25${server}
`;
    return ["haproxy", "-f", write(setting, "haproxy.cfg", text)];
  },
  isReady: (setting) =>
    setting.job.isPair === true ? isPairListening(setting) : isListening(setting),
};
