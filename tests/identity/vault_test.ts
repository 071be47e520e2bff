/** Vault, as the documentation of its HTTP API has it: a server of the test answers, because there is no Vault here to be asked. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { readSigningRequest, writeSigningRequest } from "../../base/csr.ts";
import { bytesInPem } from "../../base/pem.ts";
import { certificatesIn, chainProblem } from "../../controller/identity/certificate.ts";
import { newAuthority } from "../../controller/identity/new_authority.ts";
import { SigningKey } from "../../controller/identity/signing_key.ts";
import { Vault } from "../../controller/identity/vault.ts";

const URI = "spiffe://cluster.local/ns/shop/sa/cart";

async function orderFor(uri: string) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await writeSigningRequest(keys, { uri, challenge: "" });
  return { csr, ...await readSigningRequest(csr) };
}

Deno.test("vault: logs in with the controller's token, and has what it signs looked at", async () => {
  const made = await newAuthority();
  const roots = certificatesIn(made.roots, "roots");
  const key = await SigningKey.read(made, roots, "the test");
  const tokenFile = await Deno.makeTempFile();
  await Deno.writeTextFile(tokenFile, "controller-token\n");
  const asked: string[] = [];
  let tokens = 0;
  let valid = "";
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const body = await request.json();
    asked.push(`${request.method} ${pathname}`);
    if (pathname === "/v1/auth/kubernetes/login") {
      deepEqual(body, { role: "weft", jwt: "controller-token" });
      valid = `token-${++tokens}`;
      return Response.json({ auth: { client_token: valid, lease_duration: 3_600 } });
    }
    if (request.headers.get("x-vault-token") !== valid) {
      return Response.json({ errors: ["permission denied"] }, { status: 403 });
    }
    if (pathname !== "/v1/pki/sign/mesh") {
      return Response.json({ errors: [`unknown role: ${pathname}`] }, { status: 400 });
    }
    const [csr] = bytesInPem(body.csr, "CERTIFICATE REQUEST") ?? [];
    const { publicKey, uri } = await readSigningRequest(csr);
    const [certificate, ...above] = (await key.issue({ publicKey, uri, csr }))
      .split(/(?<=-----END CERTIFICATE-----\n)/);
    // It sends the root with the chain, and ends texts without a line break.
    const ca_chain = [...above, made.roots].map((each) => each.trim());
    return Response.json({
      data: { certificate: certificate.trim(), issuing_ca: ca_chain[0], ca_chain },
    });
  });
  const place = {
    address: `http://127.0.0.1:${server.addr.port}`,
    mount: "pki",
    role: "mesh",
    authMount: "kubernetes",
    authRole: "weft",
    authority: "",
    tokenFile,
  };
  const vault = new Vault({ ...place, roots });
  try {
    const chain = certificatesIn(await vault.issue(await orderFor(URI)), "chain");
    equal(await chainProblem(chain, roots, Date.now()), null);
    equal(chain.length, 2, "without the root");
    await vault.issue(await orderFor(URI));
    equal(tokens, 1, "one login is enough");
    valid = "taken back";
    await rejects(vault.issue(await orderFor(URI)), /403 .*permission denied/);
    await vault.issue(await orderFor(URI));
    equal(tokens, 2);
    const strange = new Vault({ ...place, role: "other", roots });
    await rejects(strange.issue(await orderFor(URI)), /400 .*unknown role/);
    strange.close();
    const { roots: others } = await newAuthority();
    const distrusted = new Vault({ ...place, roots: certificatesIn(others, "roots") });
    await rejects(distrusted.issue(await orderFor(URI)), /none of the roots/);
    distrusted.close();
    deepEqual([...new Set(asked)].sort(), [
      "POST /v1/auth/kubernetes/login",
      "POST /v1/pki/sign/mesh",
      "POST /v1/pki/sign/other",
    ]);
  } finally {
    vault.close();
    await server.shutdown();
    await Deno.remove(tokenFile);
  }
});
