/** Tokens for which a controller of a real API server gives no certificate of `shop/cart`. */
import { equal } from "node:assert/strict";
import { readPrivateKey } from "../../controller/certificates.ts";
import { LabSidecar } from "../identity/identity_lab.ts";
import { until } from "../support/until.ts";
import { testCertificates } from "../tls/certificates.ts";
import type { Shop } from "./shop.ts";

const OTHERS = `
apiVersion: v1
kind: Namespace
metadata: {name: other, labels: {weft.dev/monitored-by: weft}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: other}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: other}
spec: {serviceAccountName: cart, containers: [{name: c, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-gone, namespace: shop}
spec: {serviceAccountName: cart, containers: [{name: c, image: none}]}
`;

const CERTIFICATES = "weft_controller_certificates_refused_total";
const CONNECTIONS = "weft_controller_connections_ended_total";

interface Case {
  readonly token: string;
  /** What the sidecar says that it is. */
  readonly pod?: string;
  readonly namespace?: string;
  /** In the controller's log. */
  readonly reason: RegExp;
  readonly metric: typeof CERTIFICATES | typeof CONNECTIONS;
  readonly label: string;
}

export async function refuseForeignTokens(shop: Shop): Promise<void> {
  const { controller } = shop;
  for (const each of await casesOf(shop)) {
    const name = `${each.metric}{reason="${each.label}"}`;
    const before = await controller.metric(name);
    const linesBefore = controller.log.length;
    const source = (file: string) => shop.source(file, each.pod, each.namespace);
    const sidecar = new LabSidecar({ source }, each.token, { account: "shop/cart" });
    const isSaid = () =>
      controller.log.slice(linesBefore).some((line) =>
        /"(Certificate|Proxy) refused"/.test(line) && each.reason.test(line)
      );
    await until(`it says ${each.reason}`, isSaid, (said) => said);
    await until(name, () => controller.metric(name), (count) => count > before);
    equal(sidecar.used.length, 0);
    await sidecar.stop();
  }
  // It is for its time alone that the one was refused.
  const good = await shop.fileOf(await movedInTime(await freshToken(shop), 0));
  const sidecar = shop.sidecar(good);
  await sidecar.keeper.first;
  await sidecar.stop();
}

async function casesOf(shop: Shop): Promise<readonly Case[]> {
  await shop.api.apply(OTHERS);
  const ofOther = await shop.token("cart", { namespace: "other" });
  const ofGone = await shop.token("cart", { pod: "cart-gone" });
  const deletion = ["delete", "pod", "cart-gone", "-n", "shop", "--force", "--grace-period=0"];
  await shop.api.kubectl(deletion);
  const expired = await shop.fileOf(await movedInTime(await freshToken(shop), -2 * 3_600));
  const certificate = { metric: CERTIFICATES, label: "identity" } as const;
  const connection = { metric: CONNECTIONS, label: "token" } as const;
  const spiffe = (account: string) => new RegExp(`token is of .*spiffe:.*/${account}`);
  return [
    { ...certificate, token: await shop.token("thief"), reason: spiffe("ns/shop/sa/thief") },
    { ...certificate, token: ofOther, namespace: "other", reason: spiffe("ns/other/sa/cart") },
    { ...connection, token: ofOther, reason: /is of namespace .*other.*, not .*shop/ },
    {
      ...connection,
      token: await shop.token("cart"),
      pod: "cart-2",
      reason: /is of pod .*cart-1.*, not .*cart-2/,
    },
    {
      ...connection,
      token: await shop.token("cart", { audience: "other" }),
      reason: /token audiences .*other.* is invalid for the target audiences .*weft/,
    },
    { ...connection, token: expired, reason: /token has expired/ },
    { ...connection, token: ofGone, reason: /does not accept its token: / },
    { ...connection, token: await shop.fileOf("none"), reason: /does not accept its token: / },
    {
      metric: CERTIFICATES,
      label: "token",
      token: await shop.token("cart", { pod: "" }),
      reason: /bound to no pod/,
    },
  ];
}

async function freshToken(shop: Shop): Promise<string> {
  return await Deno.readTextFile(await shop.token("cart"));
}

/**
 * The same token, of another time, signed by the API server's own key: it gives none that expires before ten minutes, which no test can
 * wait for.
 */
async function movedInTime(token: string, seconds: number): Promise<string> {
  const url = { alphabet: "base64url", omitPadding: true } as const;
  const [head, payload] = token.trim().split(".");
  const text = new TextDecoder().decode(Uint8Array.fromBase64(payload, url));
  const claims = JSON.parse(text) as Record<string, unknown>;
  for (const name of ["iat", "nbf", "exp"]) claims[name] = Number(claims[name]) + seconds;
  const moved = new TextEncoder().encode(JSON.stringify(claims)).toBase64(url);
  const signed = `${head}.${moved}`;
  const key = await readPrivateKey(testCertificates().authority.keyPem);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, key, new TextEncoder().encode(signed));
  return `${signed}.${new Uint8Array(signature).toBase64(url)}`;
}
