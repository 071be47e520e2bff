/** Envoy as a proxy. */
import { outputOf } from "../process.ts";
import { type Contender, routePath, type Setting } from "./contender.ts";
import { findEnvoy } from "./envoy_program.ts";
import { isListening, write } from "./files.ts";

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
    ...(origins === "grpc" ? { typed_extension_protocol_options: { [key]: options } } : {}),
  };
}

function httpFilter({ routes }: Setting["job"]) {
  const many = Array.from({ length: routes }, (_, i) => ({
    match: { prefix: routePath(i) },
    route: { weighted_clusters: WEIGHTED },
  }));
  const manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "outbound",
    codec_type: "AUTO",
    generate_request_id: false,
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
  isReady: isListening,
};
