/**
 * HTTPS probes: the kubelet has no certificate of the mesh, and what it asks by HTTPS the sidecar cannot read. So it asks the sidecar, which
 * asks the application in its place, as the kubelet does: without looking at whose certificate that shows.
 */
import type { ProbeRequest } from "../config.ts";
import { PROBE_STATUS_CHARACTERS_MAX, SECURED_PROBE_MS, SECURED_PROBES_MAX } from "../limits.ts";

/** Those of a connection, and of a body, which a probe has not. */
const NOT_PASSED_ON =
  /^(host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-.*|proxy-.*)$/;

export class HttpsProbes {
  readonly #hostname: string;
  readonly #probes: readonly ProbeRequest[];
  #underWay = 0;

  /** @param hostname where the application is */
  constructor(hostname: string, probes: readonly ProbeRequest[]) {
    this.#hostname = hostname;
    this.#probes = probes.filter(({ isSecured = false }) => isSecured);
  }

  /** What `GET /https/PORT/PATH` answers; null: that is no probe of this pod. */
  async answer(request: Request): Promise<Response | null> {
    const { pathname, search } = new URL(request.url);
    const [, digits = "", path = ""] = /^\/https\/(\d{1,5})(\/.*)$/.exec(pathname) ?? [];
    const port = Number(digits);
    const isProbe = this.#probes.some((probe) => probe.port === port && asSent(probe) === path);
    if (!isProbe || request.method !== "GET") return null;
    if (this.#underWay >= SECURED_PROBES_MAX) return text(503, "too many probes at once");
    this.#underWay++;
    try {
      const status = await this.#ask(port, headOf(request, this.#hostname, port, path + search));
      // An answer in between is none, and no status of HTTP is above.
      return status >= 200 && status < 600 ? text(status, "") : text(502, `status ${status}`);
    } catch (error) {
      return text(503, error instanceof Error ? error.message : String(error));
    } finally {
      this.#underWay--;
    }
  }

  /** The status of the answer. */
  async #ask(port: number, head: string): Promise<number> {
    // deno-lint-ignore no-process-global -- importing it would load it at once, and few pods have such probes
    const { connect } = process.getBuiltinModule("node:tls");
    const answered = Promise.withResolvers<number>();
    const fail = (message: string) => answered.reject(new Error(message));
    const socket = connect({ host: this.#hostname, port, rejectUnauthorized: false });
    const timer = setTimeout(() => fail("no answer"), SECURED_PROBE_MS);
    let line = "";
    socket.on("secureConnect", () => socket.write(head));
    socket.on("data", (bytes: Uint8Array) => {
      line += new TextDecoder("latin1").decode(bytes.subarray(0, PROBE_STATUS_CHARACTERS_MAX));
      const status = /^HTTP\/1\.[01] (\d{3})[ \r]/.exec(line)?.[1];
      if (status !== undefined) answered.resolve(Number(status));
      else if (line.length >= PROBE_STATUS_CHARACTERS_MAX) fail("the answer is no HTTP/1.1");
    });
    socket.on("error", ({ message }: Error) => fail(message));
    socket.on("close", () => fail("the connection ended without an answer"));
    try {
      return await answered.promise;
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  }
}

/** The path as a URL has it. */
function asSent({ path }: ProbeRequest): string {
  return new URL(path, "http://application").pathname;
}

/** With the kubelet's headers, which a probe may name. */
function headOf({ headers }: Request, hostname: string, port: number, target: string): string {
  const host = headers.get("host") ?? hostname;
  const isOwn = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "") === hostname;
  const lines = [...headers].filter(([name]) => !NOT_PASSED_ON.test(name))
    .map(([name, value]) => `${name}: ${value}`);
  return [
    `GET ${target} HTTP/1.1`,
    `host: ${isOwn ? host.replace(/(:\d+)?$/, `:${port}`) : host}`,
    ...lines,
    "connection: close\r\n\r\n",
  ].join("\r\n");
}

function text(status: number, body: string): Response {
  const hasBody = status !== 204 && status !== 205 && status !== 304;
  return new Response(hasBody && body !== "" ? `${body}\n` : null, { status });
}
