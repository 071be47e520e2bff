// Tests of the stand-in: what it answers for which pod, over real connections.
import assert from "node:assert/strict";
import type { Pod } from "../schemas/resources.ts";
import { usablePlace } from "./places.ts";
import { standInAnswer, startStandIn } from "./stand_in.ts";

function pod(given: { command?: string[]; annotations?: Record<string, string> }): Pod {
  return {
    meta: {
      kind: "Pod",
      apiVersion: "v1",
      namespace: "shop",
      name: "cart-0",
      labels: {},
      annotations: {},
      createdAt: undefined,
      origin: { locate: () => undefined },
    },
    template: {
      labels: { app: "cart", version: "v7" },
      annotations: given.annotations ?? {},
      serviceAccount: "",
      containers: [{ name: "c", image: "i", command: given.command ?? [], ports: [] }],
      hostname: undefined,
      subdomain: undefined,
    },
    ips: [],
    ready: true,
    owner: { kind: "Deployment", name: "cart" },
  };
}

function somewhere() {
  return usablePlace({ address: "127.0.0.1", port: 0 });
}

Deno.test("standInAnswer: the guide's command, in every way to quote it", () => {
  const script = (message: string) =>
    `pipy()\n.listen(8080)\n.serveHTTP(new Message(${message}))\n`;
  const cases: [string, string][] = [
    [String.raw`'Hi, I am v1!\n'`, "Hi, I am v1!\n"],
    [String.raw`"it's \"v2\""`, `it's "v2"`],
    ["`a\nb`", "a\nb"],
    [String.raw`'\x41\u0042\u{1F600}\\n\q'`, "AB\u{1F600}\\nq"],
    [`''`, ""],
  ];
  for (const [literal, text] of cases) {
    const command = ["pipy", "-e", script(literal)];
    assert.deepEqual(standInAnswer(pod({ command })), { kind: "text", text }, literal);
  }
});

Deno.test("standInAnswer: other commands are not taken for it", () => {
  const message = ".serveHTTP(new Message('x'))";
  for (
    const command of [
      [],
      ["pipy", "main.js"],
      ["node", "-e", message],
      ["pipy", "-e"],
      ["pipy", "-e", ".serveHTTP(() => new Message('x'))"],
      ["pipy", "-e", ".serveHTTP(new Message({ status: 404 }, 'x'))"],
    ]
  ) assert.equal(standInAnswer(pod({ command })).kind, "echo", JSON.stringify(command));
});

Deno.test("standInAnswer: the annotation counts before the command", () => {
  const command = ["pipy", "-e", ".serveHTTP(new Message('command'))"];
  const annotations = { "weft.dev/local-response": "annotation" };
  assert.deepEqual(standInAnswer(pod({ command, annotations })), {
    kind: "text",
    text: "annotation",
  });
  assert.deepEqual(standInAnswer(pod({ command })), { kind: "text", text: "command" });
});

Deno.test("stand-in: echoes who it is and what was asked", async () => {
  const place = somewhere();
  const standIn = startStandIn(place, standInAnswer(pod({})));
  try {
    const response = await fetch(`http://${place.address}:${place.port}/a%2Fb?c=d`, {
      method: "POST",
      headers: { "x-user": "ann" },
      body: "hello",
    });
    const { request, ...identity } = await response.json();
    assert.deepEqual(identity, {
      workload: "cart",
      pod: "cart-0",
      namespace: "shop",
      version: "v7",
    });
    assert.equal(request.method, "POST");
    assert.equal(request.path, "/a%2Fb?c=d");
    assert.equal(request.headers["x-user"], "ann");
    assert.equal(request.body, "hello");
  } finally {
    await standIn.stop();
  }
});

Deno.test("stand-in: a body too long to echo is read and left out", async () => {
  const place = somewhere();
  const standIn = startStandIn(place, standInAnswer(pod({})));
  try {
    const response = await fetch(`http://${place.address}:${place.port}/`, {
      method: "PUT",
      body: new Uint8Array(1_000_000),
    });
    assert.equal((await response.json()).request.body, null);
  } finally {
    await standIn.stop();
  }
});

Deno.test("stand-in: a new answer needs no new connection", async () => {
  const place = somewhere();
  const standIn = startStandIn(place, { kind: "text", text: "one" });
  try {
    const url = `http://${place.address}:${place.port}/`;
    assert.equal(await (await fetch(url)).text(), "one");
    standIn.setAnswer({ kind: "text", text: "two" });
    assert.equal(await (await fetch(url)).text(), "two");
  } finally {
    await standIn.stop();
  }
});
