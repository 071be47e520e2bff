// The connection to a controller over real TLS.
import { deepEqual, ok } from "node:assert/strict";
import { chunksOf, readLines, writeLine } from "../base/lines.ts";
import { hostQuestion, type SourceUpdate } from "../routing/source/messages.ts";
import { HAS_OPENSSL_COMMAND, testCertificates } from "../tests/tls/certificates.ts";
import { ControllerSource } from "./controller_source.ts";

const ROUNDS = 20;
/** How long Linux waits with a confirmation in the hope of data that it can go with. */
const DELAYED_CONFIRMATION_MS = 40;

/** Answers each question that it has nothing of it. */
async function serve(connection: Deno.TlsConn): Promise<void> {
  let isGreeted = false;
  for await (const line of readLines(chunksOf(connection), () => 1_000_000)) {
    const { ask } = JSON.parse(line || "{}");
    if (isGreeted && ask !== undefined) {
      const update: SourceUpdate = {
        answers: ask.map((question: string) => [question, []]),
        parts: [],
      };
      await writeLine(connection, JSON.stringify(update));
    }
    isGreeted = true;
  }
}

Deno.test({
  name: "controller source: a question goes out at once, whatever was written just before it",
  ignore: !HAS_OPENSSL_COMMAND,
  async fn() {
    const { server, authority, folder } = testCertificates();
    const tokenFile = `${folder}/token`;
    Deno.writeTextFileSync(tokenFile, "token");
    const listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: server.chainPem,
      key: server.keyPem,
    });
    const serving = listener.accept().then((accepted) =>
      serve(accepted).finally(() => accepted.close())
    );
    const source = new ControllerSource({
      address: "127.0.0.1",
      port: listener.addr.port,
      authorityFile: authority.chainFile,
      tokenFile,
      namespace: "app",
      pod: "web-1",
      version: "test",
    });
    let heard = Promise.withResolvers<SourceUpdate>();
    const connection = source.connect({
      update: (update) => heard.resolve(update),
      lost: (reason) => heard.reject(new Error(reason)),
    });
    const times: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const question = hostQuestion("app", `host-${i}`);
      heard = Promise.withResolvers();
      const startMs = performance.now();
      connection.send({ ask: [question], drop: [] });
      deepEqual(await heard.promise, { answers: [[question, []]], parts: [] });
      times.push(performance.now() - startMs);
      // Nothing comes back for it that could confirm it.
      source.acknowledger()("0".repeat(64));
    }
    connection.close();
    listener.close();
    await serving.catch(() => {});
    // Waits of a busy machine are in some of them; one for a confirmation would be in all but the first.
    const least = Math.min(...times.slice(1));
    ok(least < DELAYED_CONFIRMATION_MS * 0.9, `${times.map((ms) => ms.toFixed(1))}`);
  },
});
