/** The server's machine against h2spec. Where that is skipped, its cases are those of server_test.ts. */
import { H2spec } from "../../support/h2spec.ts";
import { LoopbackServer } from "./loopback.ts";

const h2spec = await H2spec.build();

Deno.test({
  name: "Server passes h2spec, strict cases too",
  ignore: h2spec.reason !== "",
  async fn() {
    await using suite = h2spec;
    const server = new LoopbackServer();
    try {
      await suite.check(server.port);
    } finally {
      await server.stop();
    }
  },
});
