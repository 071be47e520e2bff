/** Statuses that policies answer with in place of an endpoint: those without a body have none, over every protocol. */
import assert from "node:assert/strict";
import { FramePeer } from "../http2/frame_peer.ts";
import { type Fields, GET_FIELDS, headers } from "../protocol/http2/frames.ts";
import { headerOf, type RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { request } from "./client.ts";
import { applyMesh } from "./mesh.ts";

const BODILESS = [204, 205, 304];
const STATUSES = [200, ...BODILESS, 404, 503];
const METHODS = ["GET", "HEAD", "POST"];

/** Sections that answer with this status in place of the endpoint, and the reason that is given. */
const POLICIES: Readonly<Record<string, (status: number) => Readonly<Record<string, unknown>>>> = {
  "fault-abort": (status) => ({ fault: { abort: { status } } }),
};

/** The next request of a client that takes the refusal for what it is. */
async function wantRefusal(client: RawSocket, method: string, status: number, reason: string) {
  const isHead = method === "HEAD";
  await client.send(request(method, { body: method === "POST" ? "body" : "" }));
  const answer = await client.readResponse({ isHead });
  assert.equal(`${statusOf(answer)} ${headerOf(answer, "x-weft-reason")}`, `${status} ${reason}`);
  const length = headerOf(answer, "content-length");
  if (status === 204 || status === 304) assert.equal(length, undefined);
  else if (status === 205) assert.equal(length, "0");
  else assert.ok(Number(length) > 0);
  assert.equal(answer.body === "", isHead || BODILESS.includes(status));
}

async function policed(
  proxy: TestProxy,
  origin: { readonly port: number },
  sections: Readonly<Record<string, unknown>>,
): Promise<void> {
  await applyMesh(proxy, { services: { app: [origin] }, policies: { app: sections } });
}

const CASES: readonly ProxyCase[] = Object.entries(POLICIES).flatMap(([reason, sections]) =>
  STATUSES.flatMap((status): ProxyCase[] => [
    {
      name: `${reason} with ${status}, over HTTP/1.1, and the connection goes on`,
      async run(proxy) {
        await using origin = new ScriptedOrigin(answering(() => ok("real")));
        await policed(proxy, origin, sections(status));
        using client = await proxy.connect();
        for (let i = 0; i < 2; i++) {
          for (const method of METHODS) await wantRefusal(client, method, status, reason);
        }
        using old = await proxy.connect();
        await old.send("GET / HTTP/1.0\r\nHost: app\r\n\r\n");
        const body = (await old.readRest()).split("\r\n\r\n")[1];
        assert.equal(body === "", BODILESS.includes(status));
        assert.equal(origin.accepted, 0);
      },
    },
    {
      name: `${reason} with ${status}, over HTTP/2, ends with its head where it has no body`,
      async run(proxy) {
        await using origin = new ScriptedOrigin(answering(() => ok("real")));
        await policed(proxy, origin, sections(status));
        using client = await FramePeer.connect(proxy);
        let id = -1;
        for (const method of METHODS) {
          id += 2;
          const fields: Fields = [
            [":method", method],
            ...GET_FIELDS.slice(1, 3),
            [":authority", "app"],
          ];
          await client.send(headers(id, fields, { isEnd: true }));
          const head = await client.next(new RegExp(`^HEADERS ${id} `));
          assert.match(head, new RegExp(`:status: ${status}, .*x-weft-reason: ${reason}`));
          const hasBody = method !== "HEAD" && !BODILESS.includes(status);
          assert.equal(head.startsWith(`HEADERS ${id} END`), !hasBody);
          if (BODILESS.includes(status)) assert.doesNotMatch(head, /content-(length|type)/);
          if (hasBody) await client.next(new RegExp(`^DATA ${id} .* END$`, "s"));
        }
        client.wantNone(/^(DATA|RST_STREAM) /);
        assert.equal(origin.accepted, 0);
      },
    },
    {
      name: `${reason} with ${status}, for a call by gRPC, is a head with a grpc-status`,
      async run(proxy) {
        await using origin = new ScriptedOrigin(answering(() => ok("real")));
        await policed(proxy, origin, sections(status));
        using client = await FramePeer.connect(proxy);
        const fields: Fields = [
          [":method", "POST"],
          ...GET_FIELDS.slice(1, 3),
          [":authority", "app"],
          ["content-type", "application/grpc"],
        ];
        await client.send(headers(1, fields, { isEnd: true }));
        const head = await client.next(/^HEADERS 1 /);
        assert.match(head, /^HEADERS 1 END :status: 200, .*grpc-status: \d+/);
        assert.doesNotMatch(head, /grpc-status: 0/);
      },
    },
  ])
);

const COPIED: ProxyCase = {
  name: "what a mirror answers, with a body or without, is nothing to the client",
  async run(proxy) {
    for (const status of BODILESS) {
      const answer = `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`;
      await using origin = new ScriptedOrigin(answering(() => ok("real")), { mayFail: true });
      await using copy = new ScriptedOrigin(answering(() => answer), { mayFail: true });
      await applyMesh(proxy, {
        services: { app: [origin], copy: [copy] },
        policies: { app: { mirror: { service: "copy" } }, copy: { fault: { abort: { status } } } },
      });
      using client = await proxy.connect();
      for (const method of METHODS) {
        await client.send(request(method));
        const got = await client.readResponse({ isHead: method === "HEAD" });
        assert.equal(statusOf(got), 200);
      }
    }
  },
};

testThroughProxy("refusals by policy", [...CASES, COPIED]);
