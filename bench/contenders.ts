/**
 * The proxies that are compared, each told to do one job: `^/test` splits 75/25 over two origins, everything else goes
 * to the first; keep-alive on both sides, one thread, no access log. Owns their configuration, nothing of measuring.
 */
import { acceptsConnections, isInstalled, outputOf } from "./process.ts";
import { meshManifests, PROXY_HOST } from "./mesh.ts";

/** Where a contender's files go and whom it talks to. */
export interface Setting {
  /** A directory of this contender's own. */
  readonly folder: string;
  readonly port: number;
  /** For a second listener, where the contender has one. */
  readonly adminPort: number;
  /** Ports of the origins v1 and v2 on 127.0.0.1. */
  readonly origins: readonly [number, number];
}

export interface Contender {
  readonly name: string;
  /** What a reader should know beside its numbers. */
  readonly note: string;
  /** Its version; null where it is not on this machine. */
  version(): string | null;
  /** Writes its files and says how to start it. */
  prepare(setting: Setting): string[];
  isReady(setting: Setting): Promise<boolean>;
}

const MAIN = decodeURIComponent(new URL("../main.ts", import.meta.url).pathname);
const COMPILED = decodeURIComponent(new URL("../dist/weft", import.meta.url).pathname);

function write(setting: Setting, name: string, text: string): string {
  const path = `${setting.folder}/${name}`;
  Deno.writeTextFileSync(path, text);
  return path;
}

function runToEnd(command: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command[0], { args: command.slice(1) })
    .outputSync();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** How to run `weft`: from source with this Deno, or the executable. */
export function weftCommand(form: "source" | "compiled"): string[] | null {
  if (form === "source") return [Deno.execPath(), "run", "--no-prompt", "--allow-all", MAIN];
  return isFile(COMPILED) ? [COMPILED] : null;
}

function weft(name: string, form: "source" | "compiled", driver: "native" | "portable"): Contender {
  const command = weftCommand(form);
  return {
    name,
    note: form === "compiled" ? "`dist/weft`, one worker" : "`deno run main.ts`, one worker",
    version: () => command && runToEnd([...command, "version"]).trim(),
    prepare(setting) {
      if (command === null) throw new Error("There is no dist/weft");
      const manifests = write(setting, "mesh.yaml", meshManifests(setting.origins));
      const plan = runToEnd([...command, "dry-run", "-f", manifests, "-o", "plan"]);
      return [
        ...command,
        "proxy",
        ...["--plan", write(setting, "plan.json", plan), "--driver", driver],
        ...["--outbound", `127.0.0.1:${setting.port}`, "--admin", `127.0.0.1:${setting.adminPort}`],
      ];
    },
    isReady: (setting) => answersReady(setting.adminPort),
  };
}

async function answersReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

const isListening = (setting: Setting) => acceptsConnections(setting.port);

/** A setting on which nginx's own defaults would close connections or write logs. */
export function nginxConfiguration(folder: string, http: string): string {
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
${http}
}
`;
}

const nginx: Contender = {
  name: "nginx",
  note: "one worker process beside its master",
  version: () => isInstalled("nginx") ? outputOf("nginx", ["-v"]).trim() : null,
  prepare(setting) {
    const [v1, v2] = setting.origins;
    const text = nginxConfiguration(
      setting.folder,
      `  upstream v1 { server 127.0.0.1:${v1}; keepalive 128; keepalive_requests 1000000000; }
  upstream canary {
    server 127.0.0.1:${v1} weight=75;
    server 127.0.0.1:${v2} weight=25;
    keepalive 128;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${setting.port};
    server_name ${PROXY_HOST};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    location ~ ^/test { proxy_pass http://canary; }
    location / { proxy_pass http://v1; }
  }`,
    );
    return ["nginx", "-p", setting.folder, "-c", write(setting, "nginx.conf", text)];
  },
  isReady: isListening,
};

const haproxy: Contender = {
  name: "HAProxy",
  note: "`nbthread 1`",
  version: () =>
    isInstalled("haproxy") ? outputOf("haproxy", ["-v"]).split("\n")[0].split(" - ")[0] : null,
  prepare(setting) {
    const [v1, v2] = setting.origins;
    const text = `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend outbound
  bind 127.0.0.1:${setting.port}
  acl is_test path_reg ^/test
  use_backend canary if is_test
  default_backend v1
backend v1
  server v1 127.0.0.1:${v1}
backend canary
  balance roundrobin
  server v1 127.0.0.1:${v1} weight 75
  server v2 127.0.0.1:${v2} weight 25
`;
    return ["haproxy", "-f", write(setting, "haproxy.cfg", text)];
  },
  isReady: isListening,
};

const relay: Contender = {
  name: "raw relay (C)",
  note: "copies bytes to one origin, parses nothing: the floor",
  version: () => isInstalled("gcc") ? outputOf("gcc", ["--version"]).split("\n")[0] : null,
  prepare(setting) {
    const source = decodeURIComponent(new URL("./raw_relay.c", import.meta.url).pathname);
    const binary = `${setting.folder}/raw_relay`;
    runToEnd(["gcc", "-O2", "-o", binary, source]);
    return [binary, String(setting.port), String(setting.origins[0])];
  },
  isReady: isListening,
};

// The two below are not packaged for the machines this was written on, so their configurations have not been run.

const pipy: Contender = {
  name: "Pipy",
  note: "`--threads=1`",
  version: () => isInstalled("pipy") ? outputOf("pipy", ["-v"]).split("\n")[0] : null,
  prepare(setting) {
    const [v1, v2] = setting.origins;
    const script = `var canary = new algo.LoadBalancer(
  [{ target: '127.0.0.1:${v1}', weight: 75 }, { target: '127.0.0.1:${v2}', weight: 25 }],
  { key: e => e.target, weight: e => e.weight },
)
var stable = new algo.LoadBalancer([{ target: '127.0.0.1:${v1}' }], { key: e => e.target })
var route = /^\\/test/
var $target
pipy.listen('127.0.0.1:${setting.port}', $ => $
  .demuxHTTP().to($ => $
    .handleMessageStart(m => {
      $target = (route.test(m.head.path) ? canary : stable).allocate()
    })
    .muxHTTP(() => $target).to($ => $.connect(() => $target.target.target))
    .handleMessageEnd(() => $target.free())
  )
)
`;
    return ["pipy", "--threads=1", write(setting, "main.js", script)];
  },
  isReady: isListening,
};

const envoy: Contender = {
  name: "Envoy",
  note: "`--concurrency 1`",
  version: () => isInstalled("envoy") ? outputOf("envoy", ["--version"]).trim() : null,
  prepare(setting) {
    const cluster = (name: string, port: number) => ({
      name,
      type: "STATIC",
      load_assignment: {
        cluster_name: name,
        endpoints: [{
          lb_endpoints: [{
            endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
          }],
        }],
      },
    });
    const weighted = {
      clusters: [{ name: "v1", weight: 75 }, { name: "v2", weight: 25 }],
    };
    const typed = (name: string, fields: Record<string, unknown>) => ({
      "@type": `type.googleapis.com/envoy.extensions.filters.${name}`,
      ...fields,
    });
    const manager = typed("network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: "outbound",
      generate_request_id: false,
      route_config: {
        virtual_hosts: [{
          name: "all",
          domains: ["*"],
          routes: [
            {
              match: { safe_regex: { regex: "/test.*" } },
              route: { weighted_clusters: weighted },
            },
            { match: { prefix: "/" }, route: { cluster: "v1" } },
          ],
        }],
      },
      http_filters: [{
        name: "envoy.filters.http.router",
        typed_config: typed("http.router.v3.Router", {}),
      }],
    });
    const configuration = {
      static_resources: {
        listeners: [{
          name: "outbound",
          address: { socket_address: { address: "127.0.0.1", port_value: setting.port } },
          filter_chains: [{
            filters: [{
              name: "envoy.filters.network.http_connection_manager",
              typed_config: manager,
            }],
          }],
        }],
        clusters: [cluster("v1", setting.origins[0]), cluster("v2", setting.origins[1])],
      },
    };
    const path = write(setting, "envoy.json", JSON.stringify(configuration));
    return ["envoy", "--concurrency", "1", "--log-level", "error", "-c", path];
  },
  isReady: isListening,
};

/** In the order of the tables. The first Weft that runs is what the others are compared with. */
export const CONTENDERS: readonly Contender[] = [
  weft("Weft", "compiled", "native"),
  weft("Weft from source", "source", "native"),
  weft("Weft, portable driver", "source", "portable"),
  relay,
  haproxy,
  nginx,
  pipy,
  envoy,
];
