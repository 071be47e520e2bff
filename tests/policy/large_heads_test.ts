/** Large heads and policies, by every pair of protocols: edited, sent again, copied, and too large for a policy to try again. */
import assert from "node:assert/strict";
import {
  connectClient,
  fieldOf,
  HeadOrigin,
  type Pieces,
  type SeenHead,
} from "../http2/head_peers.ts";
import type { Version } from "../http2/node_peers.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import { statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { applyMesh } from "./mesh.ts";

const DOWN = "HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n";

const VERSIONS: readonly Version[] = ["h1", "h2"];
const PIECES: readonly Pieces[] = ["whole", "cut at random"];

/** Nearly 60 KiB, as HTTP/1.1. */
const LARGE: Fields = Array.from(
  { length: 290 },
  (_, i) => [`x-field-${i}`, `${i}.`.padEnd(190, "v")],
);

function forEachPair(
  name: string,
  run: (proxy: TestProxy, client: Version, endpoint: Version) => Promise<void>,
): ProxyCase[] {
  return VERSIONS.flatMap((client) =>
    VERSIONS.map((endpoint): ProxyCase => ({
      name: `${client} to ${endpoint}: ${name}`,
      run: (proxy) => run(proxy, client, endpoint),
    }))
  );
}

function own({ fields }: { readonly fields: Fields }): Fields {
  return fields.filter(([name]) => name.startsWith("x-field-"));
}

function portNameOf(version: Version): string {
  return version === "h2" ? "http2" : "http";
}

const CASES: readonly ProxyCase[] = [
  ...forEachPair(
    "a large head is edited, sent again and copied",
    async (proxy, client, endpoint) => {
      const failing: Fields = [[":status", "503"], ["content-length", "0"], ...LARGE];
      const answer: Fields = [[":status", "200"], ["content-length", "0"], ...LARGE];
      const copies: SeenHead[] = [];
      await using origin = new HeadOrigin(
        endpoint,
        (_, number) => number % 2 === 0 ? failing : answer,
      );
      await using copy = new HeadOrigin(endpoint, (head) => {
        copies.push(head);
        return answer;
      });
      const edits = {
        set: [{ name: "x-field-7", value: "set" }],
        add: [{ name: "x-added", value: "a" }],
      };
      await applyMesh(proxy, {
        services: { app: [origin], copy: [copy] },
        portName: portNameOf(endpoint),
        policies: {
          app: {
            retry: { attempts: 2, retryOn: [503], backoff: "1ms" },
            mirror: { service: "copy" },
            headers: { request: { ...edits, remove: ["x-field-3"] }, response: { add: edits.add } },
          },
        },
      });
      using one = await connectClient(client, proxy);
      const sent: Fields = [...LARGE, ["x-forwarded-for", "192.0.2.1"]];
      const expected = LARGE.filter(([name]) => !/^x-field-[37]$/.test(name));
      for (const [round, pieces] of PIECES.entries()) {
        const told = { fields: await one.ask(sent, pieces) };
        assert.equal(fieldOf(told, ":status"), "200");
        assert.equal(fieldOf(told, "x-added"), "a");
        assert.deepEqual(own(told), LARGE);
        await until("the copy", () => copies.length, (count) => count === round + 1);
        assert.equal(origin.seen.length, 2 * round + 2);
        for (const seen of [...origin.seen.slice(-2), copies[round]]) {
          assert.deepEqual(own(seen).filter(([name]) => name !== "x-field-7"), expected);
          assert.equal(fieldOf(seen, "x-field-7"), "set");
          assert.equal(fieldOf(seen, "x-added"), "a");
          assert.equal(fieldOf(seen, "x-forwarded-for"), "192.0.2.1, 127.0.0.1");
        }
      }
    },
  ),
  ...forEachPair(
    "an answer whose head is too large is not asked for again, nor held against its endpoint",
    async (proxy, client, endpoint) => {
      await using origin = new HeadOrigin(
        endpoint,
        () => [[":status", "200"], ["content-length", "0"], ["x-large", "v".repeat(62_000)]],
      );
      await applyMesh(proxy, {
        services: { app: [origin] },
        portName: portNameOf(endpoint),
        policies: {
          app: {
            retry: { attempts: 3, retryOn: ["5xx", "reset", "connect-failure"], backoff: "1ms" },
            outlierDetection: { consecutiveFailures: 1, ejectionTime: "1h" },
          },
        },
      });
      using one = await connectClient(client, proxy);
      for (let i = 1; i <= 5; i++) {
        const told = { fields: await one.ask([]) };
        assert.equal(fieldOf(told, ":status"), "502");
        assert.equal(fieldOf(told, "x-weft-reason"), "upstream-head-too-large");
        assert.equal(origin.seen.length, i);
      }
    },
  ),
  {
    name: "behind a head of any size as much of a body is kept to be sent again",
    async run(proxy) {
      const bodies: string[] = [];
      await using origin = new ScriptedOrigin(answering(({ body }) => {
        bodies.push(body);
        return bodies.length % 2 === 1 ? DOWN : ok("told");
      }));
      await applyMesh(proxy, {
        services: { app: [origin] },
        policies: { app: { retry: { retryOn: [503], methods: ["POST"], backoff: "1ms" } } },
      });
      using client = await proxy.connect();
      const body = "b".repeat(10_000);
      // Around the places where the room for a head grows.
      for (const bytes of [5_000, 16_000, 31_700, 31_800, 47_700, 61_000]) {
        const head = `POST / HTTP/1.1\r\nhost: app\r\nx-large: ${"v".repeat(bytes)}\r\n`;
        await client.send(`${head}content-length: ${body.length}\r\n\r\n`);
        await client.send(body);
        assert.equal(statusOf(await client.readResponse()), 200, `${bytes} bytes`);
        assert.deepEqual(bodies, [body, body]);
        bodies.length = 0;
      }
    },
  },
];

testThroughProxy("large heads and policies", CASES);
