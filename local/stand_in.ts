/**
 * The built-in stand-in: a small server that plays one port of a pod for which nothing else is given to run.
 * It decides what to answer from the pod alone and knows nothing of the mesh.
 */
import type { HostPort } from "../console/values.ts";
import type { Pod } from "../schemas/resources.ts";
import { ECHO_BYTES_MAX, STAND_IN_STOP_MS } from "./limits.ts";

/** On a pod template: the exact body the stand-in answers with. */
const RESPONSE_ANNOTATION = "weft.dev/local-response";

/** What a stand-in says of itself. */
interface StandInIdentity {
  readonly workload: string;
  readonly pod: string;
  readonly namespace: string;
  /** The pod's `version` label, or empty. */
  readonly version: string;
}

/** `text`: always this body. `echo`: who answers and what was asked, as JSON. */
export type StandInAnswer =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "echo"; readonly identity: StandInIdentity };

/** What stands in for a pod: its annotation, else Pipy's one-liner in its command, else an echo. */
export function standInAnswer(pod: Pod): StandInAnswer {
  const annotated = pod.template.annotations[RESPONSE_ANNOTATION] ??
    pod.meta.annotations[RESPONSE_ANNOTATION];
  if (annotated !== undefined) return { kind: "text", text: annotated };
  for (const { command } of pod.template.containers) {
    const text = pipyMessage(command);
    if (text !== undefined) return { kind: "text", text };
  }
  const { name, namespace } = pod.meta;
  return {
    kind: "echo",
    identity: {
      workload: pod.owner?.name ?? name,
      pod: name,
      namespace,
      version: pod.template.labels["version"] ?? "",
    },
  };
}

/** The TEXT of `pipy -e "….serveHTTP(new Message('TEXT'))"`, or undefined if the command is another. */
function pipyMessage(command: readonly string[]): string | undefined {
  const script = command.indexOf("-e");
  if (command[0]?.split("/").at(-1) !== "pipy" || script < 0) return undefined;
  const found = /\.serveHTTP\(\s*new\s+Message\(\s*(['"`])((?:\\[^]|(?!\1|\\)[^])*)\1\s*\)\s*\)/
    .exec(command[script + 1] ?? "");
  return found === null ? undefined : unescapeScript(found[2]);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  v: "\v",
  0: "\0",
};

/** The value of a JavaScript string literal's inside (ECMA-262 12.9.4). */
function unescapeScript(source: string): string {
  return source.replace(
    /\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(\r\n|[^]))/g,
    (_, braced, four, two, single) => {
      const digits: string | undefined = braced ?? four ?? two;
      if (digits !== undefined) return String.fromCodePoint(parseInt(digits, 16));
      return /^[\r\n\u2028\u2029]/.test(single) ? "" : ESCAPES[single] ?? single;
    },
  );
}

/** A running stand-in. */
export interface StandIn {
  /** Takes effect from the next request on; connections stay. */
  setAnswer(answer: StandInAnswer): void;
  /** Answers what has begun, for a bounded time, then closes. */
  stop(): Promise<void>;
  /** Closes at once. */
  kill(): void;
}

/** Listens at `place`; accepts connections once this returns. */
export function startStandIn(place: HostPort, first: StandInAnswer): StandIn {
  let respond = responder(first);
  const cut = new AbortController();
  const server = Deno.serve({
    signal: cut.signal,
    hostname: place.address,
    port: place.port,
    onListen: () => {},
    onError: () => new Response("The stand-in could not read the request\n", { status: 400 }),
  }, (request) => respond(request));
  return {
    setAnswer(answer) {
      respond = responder(answer);
    },
    async stop() {
      const timer = setTimeout(() => cut.abort(), STAND_IN_STOP_MS);
      await server.shutdown();
      clearTimeout(timer);
    },
    kill: () => cut.abort(),
  };
}

function responder(answer: StandInAnswer): (request: Request) => Response | Promise<Response> {
  if (answer.kind === "echo") return (request) => echo(request, answer.identity);
  const body = new TextEncoder().encode(answer.text);
  const init = {
    headers: [["content-type", "text/plain; charset=utf-8"]] satisfies [string, string][],
  };
  return (request) => {
    if (request.body === null) return new Response(body, init);
    return drain(request.body).then(() => new Response(body, init));
  };
}

async function echo(request: Request, identity: StandInIdentity): Promise<Response> {
  const received = request.body === null ? new Uint8Array(0) : await drain(request.body);
  const url = new URL(request.url);
  const described = {
    ...identity,
    request: {
      method: request.method,
      path: url.pathname + url.search,
      headers: Object.fromEntries(request.headers),
      body: received === null ? null : new TextDecoder().decode(received),
    },
  };
  return new Response(`${JSON.stringify(described, null, 2)}\n`, {
    headers: { "content-type": "application/json" },
  });
}

/** Reads to the end, so that the connection can be used again; null if it is too long to echo. */
async function drain(body: ReadableStream<Uint8Array>): Promise<Uint8Array | null> {
  const kept = new Uint8Array(ECHO_BYTES_MAX);
  let length = 0;
  for await (const chunk of body) {
    if (length + chunk.length <= ECHO_BYTES_MAX) kept.set(chunk, length);
    length += chunk.length;
  }
  return length > ECHO_BYTES_MAX ? null : kept.subarray(0, length);
}
