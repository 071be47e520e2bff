/** What is told from a client's first bytes, before anything is parsed. */
import assert from "node:assert/strict";
import type { Random } from "../../base/random.ts";
import { detectProtocol } from "../../proxy/protocol/mod.ts";
import { serverNameOf } from "../../proxy/protocol/tls/client_hello.ts";
import { bytesOf, textOf } from "../support/bytes_notation.ts";
import { clientHello } from "../support/client_hello.ts";
import type { Target } from "./fuzz.ts";
import { damage, pick, randomRequest } from "./generate.ts";

const OTHERS = [
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "SSH-2.0-OpenSSH_9.6\r\n",
  "EHLO a\r\n",
  "\x00\x00\x00\x08\x04\xd2\x16\x2f",
  "*1\r\n$4\r\nPING\r\n",
  "GETx / HTTP/1.1\r\n",
  "\x16\x03\x01",
  "",
];
const SERVER_NAMES = [
  "a",
  "web.app.svc.cluster.local",
  "UPPER.example",
  "a_b.example",
  "x".repeat(250),
];

function firstBytes(random: Random): Uint8Array {
  switch (random.below(4)) {
    case 0:
      return bytesOf(damage(random, randomRequest(random)));
    case 1:
      return bytesOf(damage(random, pick(random, OTHERS)));
    case 2:
      return Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    default:
      return bytesOf(damage(random, textOf(clientHello(pick(random, SERVER_NAMES)))));
  }
}

const detection: Target = {
  name: "detection",
  invariant: "A verdict on the first bytes stands, wherever they stand and however many follow",
  generate: firstBytes,
  check(bytes) {
    const room = new Uint8Array(bytes.length + 20).fill(71);
    room.set(bytes, 10);
    let verdict = "undecided";
    for (let end = 0; end <= bytes.length; end++) {
      const next = detectProtocol(bytes, 0, end);
      if (verdict !== "undecided") assert.equal(next, verdict, `after ${end} bytes`);
      verdict = next;
      assert.equal(detectProtocol(room, 10, 10 + end), next, "elsewhere");
    }
  },
};

const serverName: Target = {
  name: "server-name",
  invariant:
    "Any bytes give a host name in lower case or none; an honest ClientHello gives its own",
  generate: (random) => bytesOf(damage(random, textOf(clientHello(pick(random, SERVER_NAMES))))),
  check(bytes, random) {
    const name = serverNameOf(bytes, 0, bytes.length);
    assert.match(name, /^[a-z0-9._-]{0,255}$/);
    for (let i = 0; i < 5; i++) {
      assert.match(serverNameOf(bytes, 0, random.below(bytes.length + 1)), /^[a-z0-9._-]{0,255}$/);
    }
    const honest = pick(random, SERVER_NAMES);
    const hello = clientHello(honest);
    assert.equal(serverNameOf(hello, 0, hello.length), honest.toLowerCase());
  },
};

export const DETECTION_TARGETS: readonly Target[] = [detection, serverName];
