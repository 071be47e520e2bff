/** WebSockets through the proxy, over every carrier, on every driver. */
import net from "node:net";
import { Random, randomSeed } from "../../base/random.ts";
import { DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { soon } from "../support/until.ts";
import { type CarrierLine, HTTP1_UPGRADE, type WebSocketCarrier } from "./carriers.ts";
import { talkCompressed } from "./compressed_talk.ts";
import { HTTP2_CARRIERS } from "./http2_carriers.ts";
import { PASSAGE_CASES, type PassageCase } from "./passage_cases.ts";
import { Tester } from "./tester.ts";

/** A server whose connections are testers. */
class TesterServer {
  readonly #server = net.createServer({ allowHalfOpen: true });
  readonly #next = Promise.withResolvers<Tester>();

  constructor(random: Random) {
    this.#server.on("connection", (socket: net.Socket) => {
      this.#next.resolve(new Tester(socket, "server", random));
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("Not listening");
    return address.port;
  }

  /** The first connection. */
  accepted(): Promise<Tester> {
    return soon("a connection", this.#next.promise);
  }

  [Symbol.dispose](): void {
    this.#server.close();
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
  const connecting = Tester.connect(port, random, early?.client);
  const server = await origin.accepted();
  await server.accept(early?.server);
  const client = await connecting;
  try {
    await run(client, server, isToldOfCuts);
  } finally {
    client.destroy();
    server.destroy();
  }
}

/** Why the tests of a carrier cannot be run here, or empty. */
function obstacleOf(carrier: WebSocketCarrier): string {
  // It keeps no half-open sockets, and cannot reset one.
  if (Deno.version.deno.startsWith("2.6.")) return " (skipped: node:net of Deno 2.6)";
  return carrier.obstacle === "" ? "" : ` (skipped: ${carrier.obstacle})`;
}

for (const carrier of [HTTP1_UPGRADE, ...HTTP2_CARRIERS]) {
  const seed = randomSeed();
  const obstacle = obstacleOf(carrier);
  for (const driver of DRIVERS) {
    // The portable driver cannot reset a connection.
    const isToldOfCuts = ({ role }: Tester) => driver === "native" || carrier.http2.includes(role);
    Deno.test({
      name: `WebSocket over ${carrier.name} (${driver}), seed ${seed}${obstacle}`,
      ignore: obstacle !== "",
      // The proxy outlives each step; what is left of it is checked by `checkNothingLeft`.
      sanitizeOps: false,
      sanitizeResources: false,
      async fn(t) {
        await using proxy = await TestProxy.start(driver);
        await using line = await carrier.start(proxy);
        for (const each of PASSAGE_CASES) {
          await t.step(each.name, async () => {
            await runPassage(line, each, isToldOfCuts, new Random(seed, each.name));
            await proxy.checkNothingLeft();
          });
        }
        await t.step(
          "compressed messages of `ws` at both ends, and its closing handshake",
          async () => {
            await talkCompressed(line);
            await proxy.checkNothingLeft();
          },
        );
      },
    });
  }
}
