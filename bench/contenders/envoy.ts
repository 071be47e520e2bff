/** Envoy as a proxy. */
import { outputOf } from "../process.ts";
import { type Contender, routePath, type Setting, speaksGrpc } from "./contender.ts";
import { findEnvoy } from "./envoy_program.ts";
import { isListening, write } from "./files.ts";
import { isPairListening, pairOf } from "./pair.ts";

const WEIGHTED = { clusters: [{ name: "v1", weight: 75 }, { name: "v2", weight: 25 }] };

function typed(name: string, fields: Record<string, unknown>) {
  return { "@type": `type.googleapis.com/envoy.extensions.${name}`, ...fields };
}

function cluster(name: string, port: number, { origins }: Setting["job"]) {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const options = typed("upstreams.http.v3.HttpProtocolOptions", {
    explicit_http_config: { http2_protocol_options: {} },
  });
  const key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name,
    type: "STATIC",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
    ...(speaksGrpc(origins) ? { typed_extension_protocol_options: { [key]: options } } : {}),
  };
}

function httpFilter({ routes, origins }: Setting["job"]) {
  const many = Array.from({ length: routes }, (_, i) => ({
    match: { prefix: routePath(i) },
    route: { weighted_clusters: WEIGHTED },
  }));
  const manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "outbound",
    codec_type: "AUTO",
    generate_request_id: false,
    ...(origins === "websocket" ? { upgrade_configs: [{ upgrade_type: "websocket" }] } : {}),
    route_config: {
      virtual_hosts: [{
        name: "all",
        domains: ["*"],
        routes: [
          {
            match: { safe_regex: { regex: "/test.*" } },
            route: { weighted_clusters: WEIGHTED },
          },
          ...many,
          { match: { prefix: "/" }, route: { cluster: "v1" } },
        ],
      }],
    },
    http_filters: [{
      name: "envoy.filters.http.router",
      typed_config: typed("filters.http.router.v3.Router", {}),
    }],
  });
  return { name: "envoy.filters.network.http_connection_manager", typed_config: manager };
}

const TCP_FILTER = {
  name: "envoy.filters.network.tcp_proxy",
  typed_config: typed("filters.network.tcp_proxy.v3.TcpProxy", {
    stat_prefix: "outbound",
    weighted_clusters: WEIGHTED,
  }),
};

function transport({ job, certificate: { chain, key } }: Setting) {
  if (job.clients !== "tls") return {};
  const certificate = { certificate_chain: { filename: chain }, private_key: { filename: key } };
  const context = typed("transport_sockets.tls.v3.DownstreamTlsContext", {
    common_tls_context: {
      tls_certificates: [certificate],
      tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
    },
  });
  return { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: context } };
}

/** Mutual TLS 1.3, as client or as server. */
function mutualTls({ certificate: { chain, key } }: Setting, side: "Downstream" | "Upstream") {
  const context = typed(`transport_sockets.tls.v3.${side}TlsContext`, {
    ...(side === "Downstream" ? { require_client_certificate: true } : {}),
    common_tls_context: {
      tls_certificates: [{
        certificate_chain: { filename: chain },
        private_key: { filename: key },
      }],
      validation_context: { trusted_ca: { filename: chain } },
      tls_params: {
        tls_minimum_protocol_version: "TLSv1_3",
        tls_maximum_protocol_version: "TLSv1_3",
      },
    },
  });
  return { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: context } };
}

function pair(setting: Setting): string[] {
  const { job, port, peerPort, origins: [v1] } = setting;
  const half = (
    name: string,
    at: number,
    to: number,
    tls: { client?: object; server?: object },
  ) => {
    const manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: "pair",
      codec_type: "AUTO",
      generate_request_id: false,
      route_config: {
        virtual_hosts: [{
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "v1" } }],
        }],
      },
      http_filters: [{
        name: "envoy.filters.http.router",
        typed_config: typed("filters.http.router.v3.Router", {}),
      }],
    });
    const filters = [{
      name: "envoy.filters.network.http_connection_manager",
      typed_config: manager,
    }];
    const listener = {
      name: "in",
      address: { socket_address: { address: "127.0.0.1", port_value: at } },
      filter_chains: [{ filters, ...tls.server }],
    };
    const clusters = [{ ...cluster("v1", to, job), ...tls.client }];
    const text = JSON.stringify({ static_resources: { listeners: [listener], clusters } });
    const args = ["--concurrency", "1", "--log-level", "error", "-c", write(setting, name, text)];
    return [findEnvoy() ?? "envoy", "--disable-hot-restart", ...args];
  };
  return pairOf(
    half("client.json", port, peerPort, { client: mutualTls(setting, "Upstream") }),
    half("server.json", peerPort, v1, { server: mutualTls(setting, "Downstream") }),
  );
}

export const ENVOY: Contender = {
  name: "Envoy",
  note: "`--concurrency` is the number of workers",
  takesConnect: false,
  isOtherForm: false,
  version() {
    const program = findEnvoy();
    // It prints commit, version, whether the tree was clean, kind of build, TLS library.
    return program &&
      `Envoy ${outputOf(program, ["--version"]).split("/").slice(-4).join(" ").trim()}`;
  },
  can: () => true,
  prepare(setting) {
    const { job, origins: [v1, v2] } = setting;
    if (job.isPair === true) return pair(setting);
    const filter = job.clients === "tcp" ? TCP_FILTER : httpFilter(job);
    const configuration = {
      static_resources: {
        listeners: [{
          name: "outbound",
          address: { socket_address: { address: "127.0.0.1", port_value: setting.port } },
          filter_chains: [{ filters: [filter], ...transport(setting) }],
        }],
        clusters: [cluster("v1", v1, job), cluster("v2", v2, job)],
      },
    };
    const path = write(setting, "envoy.json", JSON.stringify(configuration));
    const args = ["--concurrency", String(job.workers), "--log-level", "error", "-c", path];
    // Several of them on one machine would meet in shared memory that is for hot restarts.
    return [findEnvoy() ?? "envoy", "--disable-hot-restart", ...args];
  },
  isReady: (setting) =>
    setting.job.isPair === true ? isPairListening(setting) : isListening(setting),
};
