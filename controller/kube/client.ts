/**
 * KubeClient: calls of the API server over `fetch`, without HTTP/2: there all requests share one connection, a watch that is not read stops every
 * other, and Deno sends a body above 1 KB 44 ms late (Nagle's algorithm; measured with 2.9.6). Every body is read or cancelled.
 */
import { pause } from "../../base/backoff.ts";
import { withDeadline } from "../../base/deadline.ts";
import {
  ACCESS_READ_MS,
  ANSWER_BYTES_MAX,
  CALL_IDLE_MS,
  CALL_MS,
  RETRY_AFTER_MS_MAX,
} from "../limits.ts";
import type { AccessSource, ClusterAccess } from "./access.ts";
import { chunksUntil, responseUntil } from "./abort.ts";
import { fieldsOf, textField } from "./fields.ts";

interface CallOptions {
  readonly body?: unknown;
  /** Of the body; JSON by default. */
  readonly contentType?: string;
  /** What is wanted; JSON by default. */
  readonly accept?: string;
  readonly limitMs?: number;
  readonly signal?: AbortSignal;
}

/** The API server has refused. Its own words are the message. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** For one reading of the access. */
interface Connected {
  readonly access: ClusterAccess;
  readonly readAtMs: number;
  readonly client: Deno.HttpClient;
}

export class KubeClient {
  readonly #source: AccessSource;
  #connected: Connected | null = null;
  #connecting: Promise<Connected> | null = null;
  /** The access was refused, or has to be looked at for another reason. */
  #isDoubted = false;
  /** Longest time that one call may take, where it names none itself. */
  readonly #callMs: number;

  constructor(source: AccessSource, { callMs = CALL_MS }: { readonly callMs?: number } = {}) {
    this.#source = source;
    this.#callMs = callMs;
  }

  /** Of the context, or of the pod. */
  async namespace(): Promise<string> {
    return (await this.#connect()).access.namespace;
  }

  /**
   * @param path with its query
   * @throws {KubeError} the API server refuses
   * @throws {Error} it cannot be reached, or takes too long
   */
  async call(method: string, path: string, options: CallOptions = {}): Promise<unknown> {
    const text = await this.text(method, path, options);
    return text === "" ? null : JSON.parse(text);
  }

  /** An answer that is none of the API server's own, as it came. */
  async text(method: string, path: string, options: CallOptions = {}): Promise<string> {
    const { limitMs = this.#callMs, signal } = options;
    const over = new AbortController();
    const stop = () => over.abort(signal?.reason);
    const late = () => over.abort(new Error(`The API server did not answer within ${limitMs} ms`));
    const timer = setTimeout(late, limitMs);
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop);
    try {
      for (;;) {
        const response = await this.#fetch(method, path, { ...options, signal: over.signal });
        const text = await textOf(response, over.signal);
        if (response.ok) return text;
        const waitMs = Number(response.headers.get("retry-after")) * 1_000;
        // It has too much to do, or a kind has just come, and asks for patience.
        const isLater = response.status === 429 && waitMs > 0 && waitMs <= RETRY_AFTER_MS_MAX;
        if (!isLater) throw this.#refused(response.status, text);
        await pause(waitMs, over.signal);
      }
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * The events of a watch, as bytes, until the signal, which has to be given also where this fails.
   * @throws as `call`
   */
  async watch(
    path: string,
    options: { readonly accept?: string; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>> {
    const answer = this.#fetch("GET", path, options);
    const response = await withDeadline(answer, this.#callMs, () => {
      throw new Error(`The API server did not answer within ${this.#callMs} ms`);
    });
    if (response.ok && response.body !== null) return chunksUntil(response.body, options.signal);
    throw this.#refused(response.status, await textOf(response, options.signal));
  }

  /** A WebSocket to the API server, for what it carries to a pod. */
  async socket(path: string, protocol: string): Promise<WebSocket> {
    const { access, client } = await this.#connect();
    const headers = headersOf(access);
    const url = access.server.replace(/^http/, "ws") + path;
    return new WebSocket(url, { protocols: [protocol], headers, client });
  }

  close(): void {
    this.#connected?.client.close();
    this.#connected = null;
  }

  async #fetch(
    method: string,
    path: string,
    { body, contentType, accept, signal }: CallOptions & { readonly signal: AbortSignal },
  ): Promise<Response> {
    const { access, client } = await this.#connect();
    const headers = [...headersOf(access), ["accept", accept ?? "application/json"]];
    if (body !== undefined) headers.push(["content-type", contentType ?? "application/json"]);
    try {
      const answer = fetch(access.server + path, {
        method,
        headers,
        client,
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return await responseUntil(answer, signal);
    } catch (error) {
      // The certificate of the cluster's authority may be another one by now.
      this.#isDoubted = true;
      throw error;
    }
  }

  #refused(status: number, text: string): KubeError {
    if (status === 401) this.#isDoubted = true;
    return new KubeError(status, messageIn(text) ?? `The API server answered ${status}`);
  }

  #connect(): Promise<Connected> {
    const known = this.#connected;
    const isFresh = known !== null && Date.now() - known.readAtMs < ACCESS_READ_MS;
    if (isFresh && !this.#isDoubted) return Promise.resolve(known);
    return this.#connecting ??= this.#connectAnew(known).finally(() => this.#connecting = null);
  }

  async #connectAnew(known: Connected | null): Promise<Connected> {
    const access = await this.#source.read();
    this.#isDoubted = false;
    const isSame = known !== null && tlsText(known.access) === tlsText(access);
    // What the earlier one still carries goes on to its end.
    const client = isSame ? known.client : clientFor(access);
    return this.#connected = { access, readAtMs: Date.now(), client };
  }
}

function clientFor({ authorities, certificate, proxy }: ClusterAccess): Deno.HttpClient {
  return Deno.createHttpClient({
    ...(authorities.length === 0 ? {} : { caCerts: [...authorities] }),
    ...certificate,
    ...(proxy === undefined ? {} : { proxy: { url: proxy } }),
    http2: false,
    poolIdleTimeout: CALL_IDLE_MS,
  });
}

/** Who asks, and as whom. Pairs, because a `Headers` would make one value of several groups. */
function headersOf({ token, actsAs, isUncompressed }: ClusterAccess): [string, string][] {
  const headers: [string, string][] = [];
  if (token !== undefined) headers.push(["authorization", `Bearer ${token}`]);
  if (isUncompressed) headers.push(["accept-encoding", "identity"]);
  if (actsAs === undefined) return headers;
  const { user, groups, uid, extra = {} } = actsAs;
  headers.push(["impersonate-user", user]);
  for (const group of groups) headers.push(["impersonate-group", group]);
  if (uid !== undefined) headers.push(["impersonate-uid", uid]);
  for (const [key, values] of Object.entries(extra)) {
    // A name of a header has no other characters; the API server decodes it.
    const name = encodeURIComponent(key)
      .replace(/[()]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
    for (const value of values) headers.push([`impersonate-extra-${name}`, value]);
  }
  return headers;
}

function tlsText({ authorities, certificate, proxy }: ClusterAccess): string {
  return JSON.stringify([authorities, certificate, proxy]);
}

/** @throws {Error} the answer is larger than any that is asked for */
async function textOf(response: Response, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of response.body === null ? [] : chunksUntil(response.body, signal)) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) throw new Error(`The answer is larger than ${length} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Of a `Status` object. */
function messageIn(text: string): string | undefined {
  try {
    return textField(fieldsOf(JSON.parse(text)), "message");
  } catch {
    return undefined;
  }
}
