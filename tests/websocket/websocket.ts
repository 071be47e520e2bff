/** Runs every WebSocket case through the proxy, over a carrier, on every driver, with either end as the client. */
import assert from "node:assert/strict";
import net from "node:net";
import { Random, randomSeed } from "../../base/random.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { soon } from "../support/until.ts";
import type { Carrier, CarrierLine } from "./carriers.ts";
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
  line: CarrierLine,
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
    const tester = await Tester.connect(await line.open(server.port), random, { extensions });
    await play(tester, await server.accepted());
  } else {
    using server = new TesterServer(random);
    const subject = Subject.connect(await line.open(await server.listen()), isCompressed);
    const tester = await server.accepted();
    await tester.accept({ extensions });
    if (extensions !== "") tester.extensions = extensions;
    await soon("the handshake", subject.opened);
    await play(tester, subject);
  }
}

async function runPassage(
  line: CarrierLine,
  { early, run }: PassageCase,
  isToldOfCuts: (end: Tester) => boolean,
  random: Random,
): Promise<void> {
  using origin = new TesterServer(random);
  const port = await line.open(await origin.listen());
  const connecting = Tester.connect(port, random, { early: early?.client });
  const server = await origin.accepted();
  await server.accept({ early: early?.server });
  const client = await connecting;
  try {
    await run(client, server, isToldOfCuts);
  } finally {
    client.destroy();
    server.destroy();
  }
}

/** Why the tests of a carrier cannot be run here, or empty. */
function obstacleOf(carrier: Carrier): string {
  // It keeps no half-open sockets, cannot reset one, and stalls in 16 MiB.
  if (Deno.version.deno.startsWith("2.6.")) return " (skipped: node:net of Deno 2.6)";
  return carrier.obstacle === "" ? "" : ` (skipped: ${carrier.obstacle})`;
}

/** Registers the tests of a carrier. */
export function testWebSocket(carrier: Carrier): void {
  const seed = randomSeed();
  const obstacle = obstacleOf(carrier);
  for (const driver of DRIVERS) {
    const register = (
      what: string,
      add: (t: Deno.TestContext, proxy: TestProxy, line: CarrierLine) => Promise<void>,
    ) =>
      Deno.test({
        name: `WebSocket over ${carrier.name} (${driver}): ${what}, seed ${seed}${obstacle}`,
        ignore: obstacle !== "",
        // The proxy outlives each step; what is left of it is checked by `checkNothingLeft`.
        sanitizeOps: false,
        sanitizeResources: false,
        async fn(t) {
          await using proxy = await TestProxy.start(driver);
          await using line = await carrier.start(proxy);
          await add(t, proxy, line);
        },
      });
    for (const role of ["client", "server"] as const) {
      register(`the tester is the ${role}`, async (t, proxy, line) => {
        for (const each of [...CASES, ...COMPRESSION_CASES]) {
          const offers = each.isCompressed ? [DEFLATE, DEFLATE_NO_CONTEXT] : [""];
          for (const extensions of offers) {
            const name = extensions === DEFLATE_NO_CONTEXT ? `${each.name}, no context` : each.name;
            await t.step(name, async () => {
              const random = new Random(seed, name);
              await runCase(line, role, each, extensions, random);
              await proxy.checkNothingLeft();
            });
          }
        }
      });
    }
    // The portable driver cannot reset a connection.
    const isToldOfCuts = ({ role }: Tester) => driver === "native" || carrier.http2.includes(role);
    register("a tester at either end", async (t, proxy, line) => {
      for (const each of PASSAGE_CASES) {
        await t.step(each.name, async () => {
          await runPassage(line, each, isToldOfCuts, new Random(seed, each.name));
          await proxy.checkNothingLeft();
        });
      }
    });
  }
}
