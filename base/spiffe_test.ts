// Tests of spiffe.ts: one spelling of an id is accepted, and no other.
import assert from "node:assert/strict";
import fc from "fast-check";
import { formatWorkloadId, isTrustDomain, parseWorkloadId } from "./spiffe.ts";

Deno.test("the id of a service account", () => {
  assert.deepEqual(parseWorkloadId("spiffe://cluster.local/ns/shop/sa/cart"), {
    trustDomain: "cluster.local",
    identity: "shop/cart",
  });
  assert.equal(parseWorkloadId("spiffe://a_b-c.d/ns/n/sa/web.front")?.identity, "n/web.front");
});

Deno.test("what is spelt in another way is no id", () => {
  for (
    const uri of [
      "",
      "spiffe://",
      "spiffe://cluster.local",
      "spiffe://cluster.local/",
      "spiffe://cluster.local/ns/shop",
      "spiffe://cluster.local/ns/shop/sa/",
      "spiffe://cluster.local/ns//sa/cart",
      "spiffe://cluster.local/ns/shop/sa/cart/",
      "spiffe://cluster.local/ns/shop/sa/cart/more",
      "spiffe://cluster.local//ns/shop/sa/cart",
      "spiffe://cluster.local/sa/cart/ns/shop",
      "spiffe://cluster.local/ns/shop/sa/..",
      "spiffe://cluster.local/ns/./sa/cart",
      "spiffe://cluster.local/ns/shop/sa/cart?x",
      "spiffe://cluster.local/ns/shop/sa/cart#x",
      "spiffe://cluster.local/ns/shop/sa/c%61rt",
      "spiffe://cluster.local:443/ns/shop/sa/cart",
      "spiffe://user@cluster.local/ns/shop/sa/cart",
      "spiffe://CLUSTER.local/ns/shop/sa/cart",
      "SPIFFE://cluster.local/ns/shop/sa/cart",
      "https://cluster.local/ns/shop/sa/cart",
      " spiffe://cluster.local/ns/shop/sa/cart",
      "spiffe://cluster.local/ns/shop/sa/cart\n",
      "spiffe://cluster.local/ns/shop/sa/cart\0",
      "spiffe://cluster.local/ns/shop/sa/cärt",
      `spiffe://cluster.local/ns/shop/sa/${"a".repeat(2_048)}`,
      `spiffe://${"a".repeat(256)}/ns/shop/sa/cart`,
    ]
  ) {
    assert.equal(parseWorkloadId(uri), null, uri);
  }
});

Deno.test("no text gives an identity with more than one slash, or none", () => {
  const part = fc.stringMatching(/^[a-z./%:@?#-]{0,8}$/);
  fc.assert(fc.property(part, part, part, (domain, namespace, name) => {
    const id = parseWorkloadId(`spiffe://${domain}/ns/${namespace}/sa/${name}`);
    if (id === null) return;
    assert.deepEqual(id, { trustDomain: domain, identity: `${namespace}/${name}` });
    assert.equal(id.identity.split("/").length, 2);
    assert.equal(formatWorkloadId(id), `spiffe://${domain}/ns/${namespace}/sa/${name}`);
  }));
});

Deno.test("a trust domain is in lower case and not a URL", () => {
  assert.equal(isTrustDomain("prod.example-1.org"), true);
  for (const text of ["", "Prod", "spiffe://prod", "prod/ns", "prod:1", "a".repeat(256)]) {
    assert.equal(isTrustDomain(text), false, text);
  }
});
