/** Runs every WebSocket case through the proxy, over a carrier, on every driver, with either end as the client. */
import assert from "node:assert/strict";
import net from "node:net";
import { Random, randomSeed } from "../../base/random.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { soon } from "../support/until.ts";
import type { Carrier } from "./carriers.ts";
import { CASES, type WebSocketCase } from "./cases.ts";
import { COMPRESSION_CASES } from "./compression_cases.ts";
import { PASSAGE_CASES, type PassageCase } from "./passage_cases.ts";
import { Subject, SubjectServer } from "./subject.ts";
import { type Role, Tester } from "./tester.ts";

/** What is offered and taken, where a case wants compression: contexts kept, or none. */
const DEFLATE = "permessage-deflate";
const DEFLATE_NO_CONTEXT = `${DEFLATE}; server_no_context_takeover; client_no_context_takeover`;

/** A server whose connections are testers. */
class TesterServer {
  readonly #server = net.createServer({ allowHalfOpen: true });
  readonly #random: Random;
  #next = Promise.withResolvers<Tester>();

  constructor(random: Random) {
    this.#random = random;
    this.#server.on("connection", (socket: net.Socket) => {
      this.#next.resolve(new Tester(socket, "server", this.#random));
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("Not listening");
    return address.port;
  }

  async accepted(): Promise<Tester> {
    const tester = await soon("a connection", this.#next.promise);
    this.#next = Promise.withResolvers<Tester>();
    return tester;
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }
}

/** One case with the tester in this role. */
async function runCase(
  proxy: TestProxy,
  carrier: Carrier,
  role: Role,
  { isCompressed = false, run }: WebSocketCase,
  extensions: string,
  random: Random,
): Promise<void> {
  const play = async (tester: Tester, subject: Subject) => {
    try {
      await run(tester, subject);
      if (tester.isOver) return;
      await tester.close();
      assert.equal((await subject.closed()).code, 1000);
    } finally {
      tester.destroy();
    }
  };
  if (role === "client") {
    using server = await SubjectServer.start(isCompressed);
    await using place = await carrier.open(proxy, server.port);
    const tester = await Tester.connect(place.port, random, { extensions });
    await play(tester, await server.accepted());
  } else {
    using server = new TesterServer(random);
    await using place = await carrier.open(proxy, await server.listen());
    const subject = Subject.connect(place.port, isCompressed);
    const tester = await server.accepted();
    await tester.accept({ extensions });
    if (extensions !== "") tester.extensions = extensions;
    await soon("the handshake", subject.opened);
    await play(tester, subject);
  }
}

async function runPassage(
  proxy: TestProxy,
  carrier: Carrier,
  { early, run }: PassageCase,
  random: Random,
): Promise<void> {
  using origin = new TesterServer(random);
  await using place = await carrier.open(proxy, await origin.listen());
  const connecting = Tester.connect(place.port, random, { early: early?.client });
  const server = await origin.accepted();
  await server.accept({ early: early?.server });
  const client = await connecting;
  try {
    await run(client, server);
  } finally {
    client.destroy();
    server.destroy();
  }
}

/** Its `node:net` keeps no half-open sockets, cannot reset one, and stalls in 16 MiB. */
const SKIPPED = Deno.version.deno.startsWith("2.6.") ? " (skipped: node:net of Deno 2.6)" : "";

/** Registers the tests of a carrier. */
export function testWebSocket(carrier: Carrier): void {
  const seed = randomSeed();
  for (const driver of DRIVERS) {
    const register = (
      what: string,
      add: (t: Deno.TestContext, proxy: TestProxy) => Promise<void>,
    ) =>
      Deno.test({
        name: `WebSocket over ${carrier.name} (${driver}): ${what}, seed ${seed}${SKIPPED}`,
        ignore: SKIPPED !== "",
        // The proxy outlives each step; what is left of it is checked by `checkNothingLeft`.
        sanitizeOps: false,
        sanitizeResources: false,
        async fn(t) {
          await using proxy = await TestProxy.start(driver);
          await add(t, proxy);
        },
      });
    for (const role of ["client", "server"] as const) {
      register(`the tester is the ${role}`, async (t, proxy) => {
        for (const each of [...CASES, ...COMPRESSION_CASES]) {
          const offers = each.isCompressed ? [DEFLATE, DEFLATE_NO_CONTEXT] : [""];
          for (const extensions of offers) {
            const name = extensions === DEFLATE_NO_CONTEXT ? `${each.name}, no context` : each.name;
            await t.step(name, async () => {
              const random = new Random(seed, name);
              await runCase(proxy, carrier, role, each, extensions, random);
              await proxy.checkNothingLeft();
            });
          }
        }
      });
    }
    register("a tester at either end", async (t, proxy) => {
      for (const each of PASSAGE_CASES) {
        await t.step(each.name, async () => {
          await runPassage(proxy, carrier, each, new Random(seed, each.name));
          await proxy.checkNothingLeft();
        });
      }
    });
  }
}
