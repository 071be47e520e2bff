/** The server against nghttp2's tools, where they are installed: load over many streams, and what old clients send. */
import assert from "node:assert/strict";
import { LoopbackServer } from "./loopback.ts";

/** What a tool prints, or null where it is not installed. */
async function run(command: string, ...args: string[]): Promise<string | null> {
  try {
    const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return new TextDecoder().decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const isMissing = await run("h2load", "--version") === null ||
  await run("nghttp", "--version") === null;

async function withServer(check: (url: string) => Promise<void>): Promise<void> {
  const server = new LoopbackServer();
  try {
    await check(`http://127.0.0.1:${server.port}`);
  } finally {
    await server.stop();
  }
}

Deno.test({
  name: "Server answers all of h2load's requests, small and large",
  ignore: isMissing,
  fn: () =>
    withServer(async (url) => {
      const small = await run("h2load", "-n", "4000", "-c", "4", "-m", "100", `${url}/`);
      assert.match(small ?? "", /4000 succeeded, 0 failed, 0 errored, 0 timeout/);
      const large = await run("h2load", "-n", "200", "-c", "2", "-m", "20", `${url}/bytes/100000`);
      assert.match(large ?? "", /200 succeeded, 0 failed, 0 errored, 0 timeout/);
      assert.match(large ?? "", /\(20000000\) data/);
    }),
});

Deno.test({
  name: "Server answers nghttp, which opens with a tree of priorities, pads and continues",
  ignore: isMissing,
  fn: () =>
    withServer(async (url) => {
      assert.equal(await run("nghttp", `${url}/`), "hello from weft");
      assert.equal(await run("nghttp", "--padding=200", `${url}/`), "hello from weft");
      // Its test headers come in CONTINUATIONs, and are more than is taken.
      const long = await run("nghttp", "-nv", "--continuation", `${url}/`);
      assert.match(long ?? "", /:status: 431/);
    }),
});
