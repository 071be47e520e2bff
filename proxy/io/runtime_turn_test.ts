import { equal } from "node:assert/strict";
import { RuntimeTurn } from "./runtime_turn.ts";

Deno.test("runtime turn: sockets of Deno come to their turn, within a hundred times that the thread is given", async () => {
  const runtime = await RuntimeTurn.open();
  if (runtime === null) throw new Error("No loopback");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let answered = "";
  const server = (async () => {
    using connection = await listener.accept();
    const bytes = new Uint8Array(4);
    await connection.read(bytes);
    await connection.write(bytes);
  })();
  const client = (async () => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    await connection.write(new TextEncoder().encode("ping"));
    const bytes = new Uint8Array(4);
    await connection.read(bytes);
    answered = new TextDecoder().decode(bytes);
  })();
  let turns = 0;
  while (answered === "" && turns < 100) {
    await runtime.take();
    turns++;
  }
  await Promise.all([server, client]);
  runtime.close();
  equal(answered, "ping");
});
