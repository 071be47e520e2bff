// Tests of finding a place to listen.
import assert from "node:assert/strict";
import { formatHostPort } from "../console/values.ts";
import { isAccepting, usablePlace } from "./places.ts";

Deno.test("usablePlace: the wanted place where it is free", () => {
  const { port } = usablePlace({ address: "127.0.0.1", port: 0 });
  assert.deepEqual(usablePlace({ address: "127.0.0.1", port }), { address: "127.0.0.1", port });
});

Deno.test("usablePlace: another port where it is taken", async () => {
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const wanted = { address: "127.0.0.1", port: taken.addr.port };
  const found = usablePlace(wanted);
  assert.equal(found.address, "127.0.0.1");
  assert.notEqual(found.port, wanted.port);
  assert.equal(await isAccepting(wanted), true);
  assert.equal(await isAccepting(found), false);
  taken.close();
});

Deno.test("usablePlace: 127.0.0.1 where the machine has no such address", () => {
  // TEST-NET-1 (RFC 5737): no machine has it.
  const found = usablePlace({ address: "192.0.2.1", port: 8080 });
  assert.equal(found.address, "127.0.0.1");
  assert.notEqual(found.port, 0);
});

Deno.test("formatHostPort: IPv6 addresses are bracketed", () => {
  assert.equal(formatHostPort({ address: "::1", port: 80 }), "[::1]:80");
  assert.equal(formatHostPort({ address: "127.1.2.3", port: 80 }), "127.1.2.3:80");
});
