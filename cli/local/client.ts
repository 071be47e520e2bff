/**
 * A small HTTP client that sends through a sidecar as `http_proxy` does: absolute-form targets (RFC 9112 3.2.2) over one
 * kept connection. For `weft request`, `weft demo` and tests.
 */
import { Agent, request as startRequest } from "node:http";
import { Buffer } from "node:buffer";
import type { Place } from "./places.ts";

/** What is sent. */
export interface ClientRequest {
  readonly method: string;
  /** Absolute: `http://httpbin.httpbin:8080/test`. */
  readonly url: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

/** What came back. */
export interface ClientResponse {
  readonly status: number;
  readonly statusText: string;
  readonly httpVersion: string;
  /** In order, as sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Nothing listens where the sidecar should. */
export class MeshUnreachable extends Error {
  override readonly name = "MeshUnreachable";
}

export class MeshClient {
  readonly #sidecar: Place;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(sidecar: Place) {
    this.#sidecar = sidecar;
  }

  /** Throws {@link MeshUnreachable} where the connection is refused, and an `Error` where it breaks. */
  async send({ method, url, headers = [], body }: ClientRequest): Promise<ClientResponse> {
    const answered = Promise.withResolvers<ClientResponse>();
    const outgoing = startRequest({
      host: this.#sidecar.address,
      port: this.#sidecar.port,
      agent: this.#agent,
      method,
      path: url,
      headers: fieldsOf(url, headers, body),
    }, (incoming) => {
      const parts: Uint8Array[] = [];
      incoming.on("data", (part: Uint8Array) => parts.push(part));
      incoming.on("error", answered.reject);
      incoming.on("end", () =>
        answered.resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? "",
          // Older Deno does not say; a sidecar answers in 1.1 whatever it is asked in.
          httpVersion: incoming.httpVersion || "1.1",
          headers: pairsOf(incoming.rawHeaders),
          body: new Uint8Array(Buffer.concat(parts)),
        }));
    });
    outgoing.on("error", (error: Error & { code?: string }) => {
      const isRefused = error.code === "ECONNREFUSED";
      answered.reject(isRefused ? new MeshUnreachable(error.message) : error);
    });
    outgoing.end(body);
    return await answered.promise;
  }

  /** Closes the kept connection. */
  close(): void {
    this.#agent.destroy();
  }
}

/** The target's authority is the Host unless another is given; a body has its length. */
function fieldsOf(
  url: string,
  headers: readonly (readonly [string, string])[],
  body: string | undefined,
): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = { Host: new URL(url).host };
  if (body !== undefined) fields["Content-Length"] = String(new TextEncoder().encode(body).length);
  for (const [name, value] of headers) {
    const key = Object.keys(fields).find((known) => known.toLowerCase() === name.toLowerCase());
    const previous = key === undefined || key === "Host" ? [] : fields[key];
    fields[key ?? name] = previous.length === 0 ? value : [previous, value].flat();
  }
  return fields;
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i], raw[i + 1]]);
  return pairs;
}
