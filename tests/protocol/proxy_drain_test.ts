import assert from "node:assert/strict";
import { headerOf, RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { DRIVERS, planOf, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";

const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

/** libc is opened once a thread, and stays open. */
const sanitizeResources = false;

for (const driver of DRIVERS) {
  Deno.test(`drain (${driver}): what is under way ends, the idle are let go, the new are refused`, {
    sanitizeResources,
  }, async () => {
    const proxy = await TestProxy.start(driver);
    const answers = Promise.withResolvers<void>();
    let requests = 0;
    await using origin = new ScriptedOrigin(async (socket) => {
      for (;;) {
        const head = await socket.readThrough("\r\n\r\n").catch(() => "");
        if (head === "") return;
        requests++;
        if (head.startsWith("POST")) await socket.readExactly(10);
        if (head.includes("slow")) await answers.promise;
        await socket.send(ok(head.slice(0, head.indexOf("\r"))));
      }
    });
    await proxy.route(origin);
    using idle = await proxy.connect();
    using used = await proxy.connect();
    await used.send(GET);
    await used.readResponse();
    using busy = await proxy.connect();
    await busy.send(GET.replace("/", "/slow") + GET);
    await until("the slow request", () => requests, (count) => count === 2);
    using uploading = await proxy.connect();
    await uploading.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\nhello");
    await until("the upload", () => requests, (count) => count === 3);

    const drained = proxy.proxy.drain();
    for (const client of [idle, used]) {
      assert.equal(await client.readRest(), "");
      client.close();
    }
    await until("new connections to be refused", async () => {
      try {
        (await RawSocket.connect(proxy.port)).close();
        return "accepted";
      } catch (error) {
        return error instanceof Error ? error.name : "";
      }
    }, (outcome) => outcome === "ConnectionRefused");

    await uploading.send("world");
    const uploaded = await uploading.readResponse();
    assert.equal(statusOf(uploaded), 200);
    assert.equal(headerOf(uploaded, "connection"), "close");
    answers.resolve();
    const answer = await busy.readResponse();
    assert.equal(answer.body, "GET /slow HTTP/1.1");
    assert.equal(headerOf(answer, "connection"), "close");
    assert.equal(await busy.readRest(), "");
    for (const client of [busy, uploading]) client.close();
    await drained;
  });

  Deno.test(
    `drain (${driver}): what does not end in time is cut`,
    { sanitizeResources },
    async () => {
      const proxy = await TestProxy.start(driver, { timeouts: { drainMs: 100 } });
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(GET);
      await until("the request", () => origin.accepted, (count) => count === 1);
      await proxy.proxy.drain();
      assert.equal(await client.readRest(), "");
    },
  );

  Deno.test(
    `drain (${driver}): without clients it is done at once`,
    { sanitizeResources },
    async () => {
      const proxy = await TestProxy.start(driver);
      await proxy.proxy.drain();
      await assert.rejects(RawSocket.connect(proxy.port));
    },
  );

  Deno.test(
    `plans (${driver}): swapping them under load loses no request`,
    { sanitizeResources },
    async () => {
      await using proxy = await TestProxy.start(driver);
      await using one = new ScriptedOrigin(answering(() => ok("one")));
      await using two = new ScriptedOrigin(answering(() => ok("two")));
      await proxy.route(one);
      const seen = new Set<string>();
      let answered = 0;
      let isOver = false;
      const load = Array.from({ length: 8 }, async () => {
        using client = await proxy.connect();
        while (!isOver) {
          await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nhello");
          const answer = await client.readResponse();
          assert.equal(statusOf(answer), 200);
          seen.add(answer.body);
          answered++;
        }
      });
      for (let i = 0; i < 50; i++) {
        await proxy.route(...[[one], [two], [one, two]][i % 3]);
        const before = answered;
        await until("answers", () => answered, (count) => count >= before + 8);
      }
      isOver = true;
      await Promise.all(load);
      assert.deepEqual([...seen].sort(), ["one", "two"]);
      await proxy.checkNothingLeft();
    },
  );

  Deno.test(`plans (${driver}): a plan that cannot be executed changes nothing`, {
    sanitizeResources,
  }, async () => {
    await using proxy = await TestProxy.start(driver);
    await using origin = new ScriptedOrigin(answering(() => ok("still here")));
    await proxy.route(origin);
    const broken = { ...planOf([1]), groups: {} };
    await assert.rejects(proxy.proxy.apply(broken));
    using client = await proxy.connect();
    await client.send(GET);
    assert.equal((await client.readResponse()).body, "still here");
  });
}

if (DRIVERS.includes("native")) {
  Deno.test("drain (native, two workers): both end, and all that they had under way", {
    sanitizeResources,
  }, async () => {
    const proxy = await TestProxy.start("native", { workers: 2 });
    const answers = Promise.withResolvers<void>();
    await using origin = new ScriptedOrigin(answering(async () => {
      await answers.promise;
      return ok("late");
    }));
    await proxy.route(origin);
    using group = new DisposableStack();
    const clients: RawSocket[] = [];
    for (let i = 0; i < 16; i++) clients.push(group.use(await proxy.connect()));
    for (const client of clients) await client.send(GET);
    await until("all requests", () => origin.accepted, (count) => count === 16);
    const drained = proxy.proxy.drain();
    answers.resolve();
    for (const client of clients) {
      assert.equal((await client.readResponse()).body, "late");
      assert.equal(await client.readRest(), "");
      client.close();
    }
    await drained;
  });
}
