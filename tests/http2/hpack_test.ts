/**
 * HPACK against `node:http2` (nghttp2): stories of messages over connections that last, through the proxy. What one side of Node has
 * coded, the proxy has to read and to code again for the other, requests and answers alike, while tables shrink and grow.
 */
import assert from "node:assert/strict";
import type http2 from "node:http2";
import { Random, randomSeed } from "../../base/random.ts";
import { testHttp2 } from "./http2_cases.ts";
import type { NodeProcess, Tools } from "./node_process.ts";

/** Names and values of one message, and which of them may never be put into a table (RFC 7541 6.2.3). */
interface Fields {
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly sensitive: readonly string[];
}

interface Step {
  readonly request: Fields;
  readonly answer: Fields;
  /** Sizes of tables that either side allows from now on; -1: as before. */
  readonly clientTable: number;
  readonly serverTable: number;
}

/** Tables that either side keeps for what it sends. */
interface Story {
  readonly clientDeflate: number;
  readonly serverDeflate: number;
  readonly steps: readonly Step[];
}

const TABLES = [0, 1, 64, 300, 4_096, 65_536];
/** Known to the static table, by name or with a value; secrets, which are never to be indexed; and unknown names. */
const NAMES = [
  ...["accept-encoding", "accept-language", "user-agent", "referer", "etag", "vary", "link"],
  ...["authorization", "x-a", "x-b", "x-token", "x-request-id", "x-!#$%&'*+.^_`|~-9"],
];
const VALUES = ["", "a", "gzip, deflate", "*", "no-cache", "0123456789".repeat(8)];

function storyOf(random: Random): Story {
  const table = () => TABLES[random.below(TABLES.length)];
  const steps = Array.from({ length: 25 }, (): Step => ({
    request: fieldsOf(random),
    answer: fieldsOf(random),
    clientTable: random.below(4) === 0 ? table() : -1,
    serverTable: random.below(4) === 0 ? table() : -1,
  }));
  return { clientDeflate: table(), serverDeflate: table(), steps };
}

function fieldsOf(random: Random): Fields {
  const headers: Record<string, string | string[]> = {};
  const sensitive: string[] = [];
  for (let left = random.below(12); left > 0; left--) {
    const known = random.below(3) > 0;
    const name = known ? NAMES[random.below(NAMES.length)] : `x-${textOf(random, 20, true)}y`;
    headers[name] = random.below(2) === 0 ? VALUES[random.below(VALUES.length)] : valueOf(random);
    if (random.below(5) === 0) sensitive.push(name);
  }
  return { headers, sensitive };
}

/** Short or long, and of characters with codes of any length. */
function valueOf(random: Random): string {
  return textOf(random, random.below(8) === 0 ? 1_000 : 40, false).trim();
}

function textOf(random: Random, lengthMax: number, isName: boolean): string {
  return Array.from(
    { length: random.below(lengthMax) },
    () =>
      isName
        ? "abcdefghijklmnopqrstuvwxyz0123456789-_"[random.below(38)]
        : String.fromCharCode(32 + random.below(95)),
  ).join("");
}

/** What either side of a step has got. */
interface Got {
  readonly request: Fields;
  readonly answer: Fields;
}

/** Runs in Node: an endpoint that answers with the headers that the request's body names, and tells which it got. */
function startEndpoint({ http2, state }: Tools, deflate: number): Promise<number> {
  const server = http2.createServer({ maxDeflateDynamicTableSize: deflate });
  const sessions: http2.ServerHttp2Session[] = [];
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream, headers) => {
    let text = "";
    stream.on("data", (chunk) => text += chunk);
    stream.on("end", () => {
      const { headers: answer, sensitive } = JSON.parse(text);
      // deno-lint-ignore no-explicit-any -- Node's own symbol as a key
      const got = { headers, sensitive: (headers as any)[http2.sensitiveHeaders] };
      stream.respond({ ":status": 200, ...answer, [http2.sensitiveHeaders]: sensitive });
      stream.end(JSON.stringify(got));
    });
  });
  state["endpoint"] = {
    setTable: (size: number) =>
      Promise.all(
        sessions.map((session) =>
          new Promise<void>((resolve) =>
            session.closed
              ? resolve()
              : session.settings({ headerTableSize: size }, () => resolve())
          )
        ),
      ),
    stop: () =>
      new Promise<null>((resolve) => {
        for (const session of sessions) session.destroy();
        server.close(() => resolve(null));
      }),
  };
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port))
  );
}

/** Runs in Node: asks step by step, over one connection. */
async function runSteps(
  { http2, state }: Tools,
  port: number,
  deflate: number,
  steps: readonly Step[],
): Promise<Got[]> {
  const session = http2.connect(`http://127.0.0.1:${port}`, {
    maxDeflateDynamicTableSize: deflate,
  });
  const got: Got[] = [];
  for (const { request, answer, clientTable, serverTable } of steps) {
    if (clientTable >= 0) {
      await new Promise<void>((resolve) =>
        session.settings({ headerTableSize: clientTable }, () => resolve())
      );
    }
    if (serverTable >= 0) await state["endpoint"].setTable(serverTable);
    got.push(
      await new Promise<Got>((resolve, reject) => {
        const stream = session.request({
          ":method": "POST",
          ":path": "/",
          ":authority": "app",
          ...request.headers,
          [http2.sensitiveHeaders]: [...request.sensitive],
        });
        let told: Fields;
        let text = "";
        stream.on("response", (headers) => {
          // deno-lint-ignore no-explicit-any -- Node's own symbol as a key
          const sensitive = (headers as any)[http2.sensitiveHeaders];
          told = { headers: headers as Record<string, string>, sensitive };
        });
        stream.on("data", (chunk) => text += chunk);
        stream.on("error", reject);
        stream.on("close", () => resolve({ request: JSON.parse(text), answer: told }));
        stream.end(JSON.stringify(answer));
      }),
    );
  }
  await new Promise<void>((resolve) => session.close(() => resolve()));
  return got;
}

/** Wants everything that was sent to have come, as it was, and nothing in a table that may not be in one. */
function check(sent: Fields, got: Fields, what: string): void {
  for (const [name, value] of Object.entries(sent.headers)) {
    assert.equal(got.headers[name], value, `${what}: ${name}`);
  }
  for (const name of sent.sensitive) {
    assert.ok(got.sensitive.includes(name), `${what}: ${name} was to be kept out of tables`);
  }
}

async function runStory(node: NodeProcess, port: number, story: Story): Promise<Got[]> {
  // deno-lint-ignore no-explicit-any -- plain data
  return await node.run(runSteps as any, port, story.clientDeflate, story.steps as any) as Got[];
}

testHttp2("HPACK", [{
  name: "stories of requests and answers, with tables of any size that change",
  async run(proxy, node) {
    const seed = randomSeed();
    const random = new Random(seed, "stories");
    for (let number = 0; number < 12; number++) {
      const story = storyOf(random);
      const port = await node.run(startEndpoint, story.serverDeflate);
      await proxy.routeHttp2({ port });
      const got = await runStory(node, proxy.port, story);
      for (const [i, { request, answer }] of story.steps.entries()) {
        const what = `seed ${seed}, story ${number}, step ${i}`;
        check(request, got[i].request, `${what}, request`);
        check(answer, got[i].answer, `${what}, answer`);
      }
      await node.run(({ state }) => state["endpoint"].stop() as Promise<null>);
    }
  },
}]);
