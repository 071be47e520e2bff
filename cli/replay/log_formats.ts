/**
 * Formats of access logs: what one line says of a request, and which of its headers it would name. A format is told by the first line
 * that one of them reads.
 */

/** A request, or a connection, as a log has it. */
export interface LoggedRequest {
  /** `TCP` for a connection. */
  readonly method: string;
  /** `host[:port]`; empty: the log does not say. */
  readonly authority: string;
  /** With its query; empty for a connection. */
  readonly path: string;
  /** Those of the headers that the format knows and the request had; names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `namespace/serviceaccount` of the caller; empty: not known. */
  readonly source: string;
  /** What became of it; null: the log does not say. */
  readonly outcome: LoggedOutcome | null;
}

interface LoggedOutcome {
  /** `namespace/service`; empty: none was asked. */
  readonly backend: string;
  /** `namespace/group/match`; empty: none. */
  readonly rule: string;
  /** `namespace/split`; empty: the Service's own endpoints. */
  readonly split: string;
  /** `namespace/service:port`; empty: the host was none of the mesh. */
  readonly service: string;
  /** Why the proxy answered by itself; empty: it did not. */
  readonly reason: string;
}

export interface LogFormat {
  readonly name: string;
  /** Whether a header that a line does not have was not sent: else it may have been. */
  knows(header: string): boolean;
  /** Null: it is no such line. */
  parse(line: string): LoggedRequest | null;
  /** Lines that were lost before the log was written. */
  lost?(line: string): number;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(line: string): Fields | null {
  if (line.charCodeAt(0) !== 0x7b) return null;
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** `weft proxy --access-log json`. */
const WEFT_JSON: LogFormat = {
  name: "weft json",
  knows: () => false,
  parse(line) {
    const fields = fieldsOf(line);
    if (fields === null || typeof fields["authority"] !== "string") return null;
    const { method, authority, path, source, backend, rule, split, service, reason } = fields;
    return {
      method: text(method),
      authority,
      path: text(path),
      headers: [],
      source: text(source),
      outcome: {
        backend: text(backend),
        rule: text(rule),
        split: text(split),
        service: text(service),
        reason: text(reason),
      },
    };
  },
  lost: (line) => Number(/^\{"lost":(\d+)\}$/.exec(line)?.[1] ?? 0),
};

/** The sidecars and gateways of FSM (Pipy): all headers, a service by its name alone. */
const FSM: LogFormat = {
  name: "fsm",
  knows: () => true,
  parse(line) {
    const request = fieldsOf(line)?.["req"];
    if (typeof request !== "object" || request === null) return null;
    const { method, path, authority, headers: sent } = request as Fields;
    if (typeof method !== "string" || typeof path !== "string") return null;
    const headers = Object.entries(typeof sent === "object" && sent !== null ? sent : {})
      .map(([name, value]) => [name.toLowerCase(), text(value)] as const);
    const host = headers.find(([name]) => name === "host")?.[1];
    return {
      method,
      authority: text(authority) || (host ?? ""),
      path,
      headers: headers.filter(([name]) => name !== "host"),
      source: "",
      outcome: null,
    };
  },
};

const ENVOY_HEADERS = ["x-forwarded-for", "user-agent", "x-request-id"] as const;

/** Envoy's default, and Istio's, which has more between the request line and the headers, and after them. */
const ENVOY: LogFormat = {
  name: "envoy",
  knows: (header) => (ENVOY_HEADERS as readonly string[]).includes(header),
  parse(line) {
    if (line.charCodeAt(0) !== 0x5b) return null;
    const quoted = line.match(/"(?:[^"\\]|\\.)*"/g)?.map((each) => each.slice(1, -1)) ?? [];
    const request = requestLine(quoted[0] ?? "");
    if (request === null || quoted.length < 6) return null;
    // From the end: X-Forwarded-For, User-Agent, X-Request-Id, the authority, the endpoint.
    const values = quoted.slice(-5);
    const authority = values[3] === "-" ? "" : values[3];
    const isConnection = request.method === "CONNECT";
    return {
      method: request.method,
      authority: isConnection ? request.target : authority,
      path: isConnection ? "" : request.target,
      headers: ENVOY_HEADERS.flatMap((name, i) =>
        values[i] === "-" ? [] : [[name, values[i]] as const]
      ),
      source: "",
      outcome: null,
    };
  },
};

const COMBINED_LINE =
  /^\S+ \S+ (\S+) \[[^\]]*\] "((?:[^"\\]|\\.)*)" \d{3} \S+(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?/;

/** nginx's and Apache's `combined` and `common`, which do not name the host. */
const COMBINED: LogFormat = {
  name: "combined",
  knows: (header) => header === "user-agent" || header === "referer",
  parse(line) {
    const [, , first, referer, agent] = COMBINED_LINE.exec(line) ?? [];
    const request = requestLine(first ?? "");
    if (request === null || / (?:rule|split)=/.test(line)) return null;
    const headers = [["referer", referer], ["user-agent", agent]] as const;
    return {
      ...placed(request),
      headers: headers.flatMap(([name, value]) =>
        value === undefined || value === "-" ? [] : [[name, value] as const]
      ),
      source: "",
      outcome: null,
    };
  },
};

/** `weft proxy --access-log common`: whole URLs, and what became of the request after them. */
const WEFT_COMMON: LogFormat = {
  name: "weft common",
  knows: () => false,
  parse(line) {
    const [, , first] = COMBINED_LINE.exec(line) ?? [];
    const request = requestLine(first ?? "");
    if (request === null) return null;
    const named = (name: string) => {
      const value = new RegExp(` ${name}=(\\S+)`).exec(line)?.[1] ?? "-";
      return value === "-" ? "" : value;
    };
    if (!line.includes(" rule=")) return null;
    return {
      ...placed(request),
      headers: [],
      source: named("source"),
      outcome: {
        backend: named("backend"),
        rule: named("rule"),
        split: named("split"),
        service: named("service"),
        reason: named("reason"),
      },
    };
  },
  lost: (line) => Number(/^# (\d+) lines lost$/.exec(line)?.[1] ?? 0),
};

const LOG_FORMATS: readonly LogFormat[] = [WEFT_JSON, FSM, ENVOY, WEFT_COMMON, COMBINED];

/** The format of a line; null: it is none that is known. */
export function formatOf(line: string): LogFormat | null {
  return LOG_FORMATS.find((format) => format.parse(line) !== null) ?? null;
}

interface LogRequestLine {
  readonly method: string;
  readonly target: string;
}

/** `GET /a HTTP/1.1`; what a client sent that is none is null. */
function requestLine(line: string): LogRequestLine | null {
  const [, method, target] =
    /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) (?:HTTP\/[\d.]+|TCP)$/.exec(line) ?? [];
  return target === undefined ? null : { method, target };
}

function placed(
  { method, target }: LogRequestLine,
): Pick<LoggedRequest, "method" | "authority" | "path"> {
  if (method === "TCP" || method === "CONNECT") return { method, authority: target, path: "" };
  const [, authority, path] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target) ?? [];
  return authority === undefined
    ? { method, authority: "", path: target }
    : { method, authority, path };
}
