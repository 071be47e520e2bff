// Tests of loopback addresses: stable, in range, never shared.
import assert from "node:assert/strict";
import fc from "fast-check";
import { loopbackAddress, PodAddresses } from "./pod_addresses.ts";

Deno.test("loopbackAddress: is fixed by the pod's name", () => {
  // A golden value: changing it moves every pod of every user.
  assert.equal(loopbackAddress("httpbin", "httpbin-v1-0"), "127.167.50.168");
  assert.notEqual(loopbackAddress("a", "b-c"), loopbackAddress("a-b", "c"));
});

Deno.test("loopbackAddress: stays inside 127.1.0.1 to 127.254.255.254", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (namespace, pod) => {
    const [first, second, third, fourth] = loopbackAddress(namespace, pod).split(".").map(Number);
    assert.equal(first, 127);
    assert.ok(second >= 1 && second <= 254);
    assert.ok(third >= 0 && third <= 255);
    assert.ok(fourth >= 1 && fourth <= 254);
  }));
});

Deno.test("PodAddresses: two pods whose names collide get different addresses and keep them", () => {
  const [first, second] = collidingNames();
  const book = new PodAddresses();
  const a = book.addressOf("app", first);
  const b = book.addressOf("app", second);
  assert.equal(a, loopbackAddress("app", first));
  assert.notEqual(a, b);
  assert.equal(book.addressOf("app", second), b);
  assert.equal(book.addressOf("app", first), a);
});

/** Some 5 000 names are enough for one pair, by the birthday bound; the search always ends alike. */
function collidingNames(): [string, string] {
  const seen = new Map<string, string>();
  for (let i = 0;; i++) {
    const address = loopbackAddress("app", `pod-${i}`);
    const earlier = seen.get(address);
    if (earlier !== undefined) return [earlier, `pod-${i}`];
    seen.set(address, `pod-${i}`);
  }
}
