/** From a sidecar's key to a certificate that others verify, over the stream of a controller; and who is given none. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { writeSigningRequest } from "../../base/csr.ts";
import { bytesInPem, CERTIFICATE, pemOf } from "../../base/pem.ts";
import { validityOf } from "../../base/x509.ts";
import type { IdentityUpdate } from "../../routing/source/messages.ts";
import { until } from "../support/until.ts";
import { HAS_OPENSSL_COMMAND } from "../tls/certificates.ts";
import { IdentityLab, LabSidecar, newState } from "./identity_lab.ts";
import { verifiers } from "./verifiers.ts";

const CART = "spiffe://cluster.local/ns/shop/sa/cart";
const HOUR_MS = 3_600_000;

function labTest(name: string, run: (lab: IdentityLab) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !HAS_OPENSSL_COMMAND,
    async fn() {
      const lab = new IdentityLab();
      await lab.start();
      try {
        await run(lab);
      } finally {
        await lab.stop();
      }
    },
  });
}

labTest(
  "issuing: a chain of a day that other verifiers accept, and refuse once it is broken",
  async (lab) => {
    lab.identity.set(await newState("first"));
    const sidecar = new LabSidecar(lab, "cart");
    await sidecar.keeper.first;
    await sidecar.stop();
    const { chain, trust: { pem: roots } } = sidecar;
    const { fromMs = 0, untilMs = 0 } = validityOf(chain) ?? {};
    const early = Date.now() - fromMs;
    ok(early >= 119_000 && early < 180_000, `it is valid since ${early} ms`);
    equal(Math.round((untilMs - fromMs) / HOUR_MS), 24);
    equal(sidecar.keeper.problem, null);
    const now = new Date();
    const good = { chain, roots, uri: CART, at: now };
    const { roots: others } = (await newState("other")).roots ?? { roots: [] };
    const [leaf, intermediate] = bytesInPem(chain, CERTIFICATE) ?? [];
    const changed = leaf.slice();
    changed[leaf.length - 5] ^= 1;
    const broken = {
      "another root": { ...good, roots: others.join("") },
      "no intermediate": { ...good, chain: pemOf(CERTIFICATE, leaf) },
      "a changed signature": {
        ...good,
        chain: pemOf(CERTIFICATE, changed) + pemOf(CERTIFICATE, intermediate),
      },
      "before its time": { ...good, at: new Date(fromMs - 60_000) },
      "after its time": { ...good, at: new Date(untilMs + 60_000) },
    };
    for (const verify of await verifiers(lab.folder)) {
      equal(await verify(good), "ok");
      for (const [what, each] of Object.entries(broken)) notEqual(await verify(each), "ok", what);
    }
  },
);

labTest(
  "issuing: who asks to be another one is refused and counted, and can be itself",
  async (lab) => {
    lab.identity.set(await newState("first"));
    const thief = new LabSidecar(lab, "thief", { account: "shop/cart" });
    const isRefused = () => thief.keeper.problem ?? "";
    match(await until("it is refused", isRefused, (text) => /is of/.test(text)), /sa\/thief/);
    equal(lab.counts.certificatesRefused.identity, 1);
    const loose = new LabSidecar(lab, "loose", { account: "shop/cart" });
    await until(
      "it is refused",
      () => lab.counts.certificatesRefused.token,
      (count) => count === 1,
    );
    equal(thief.used.length + loose.used.length, 0);
    await Promise.all([thief.stop(), loose.stop()]);
    const honest = new LabSidecar(lab, "thief");
    await honest.keeper.first;
    await honest.stop();
    equal(lab.counts.certificatesIssued, 1);
  },
);

labTest(
  "issuing: a request is of use once, on the connection that it was made for",
  async (lab) => {
    lab.identity.set(await newState("first"));
    const told: IdentityUpdate[] = [];
    const source = lab.source("cart");
    source.giveIdentity({
      connected: () => source.requestIdentity({ roots: "", signer: "" }),
      told: (update) => told.push(update),
      lost() {},
    });
    const connect = () => {
      const connection = source.connect({ update() {}, lost() {} });
      connection.send({ ask: [], drop: [], held: {} });
      return connection;
    };
    const answers = (count: number) => until("it is told", () => told.length, (n) => n >= count);
    const first = connect();
    await answers(1);
    const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
      "sign",
      "verify",
    ]);
    const csr = await writeSigningRequest(keys, { uri: CART, challenge: told[0].challenge });
    const request = { roots: "", signer: "", csr: csr.toBase64() };
    source.requestIdentity(request);
    await answers(2);
    ok(told[1].chain !== undefined);
    notEqual(told[1].challenge, told[0].challenge);
    source.requestIdentity(request);
    await answers(3);
    match(told[2].problem ?? "", /challenge/);
    first.close();
    const second = connect();
    await answers(4);
    source.requestIdentity(request);
    await answers(5);
    match(told[4].problem ?? "", /challenge/);
    second.close();
    deepEqual([lab.counts.certificatesIssued, lab.counts.certificatesRefused.replay], [1, 2]);
  },
);

labTest(
  "issuing: another signer means another certificate, and roots are acknowledged",
  async (lab) => {
    const [first, second] = [await newState("first"), await newState("second")];
    lab.identity.set(first);
    const sidecar = new LabSidecar(lab, "cart");
    await sidecar.keeper.first;
    const before = sidecar.chain;
    lab.identity.set({ ...second, signer: "second" });
    await until("it is renewed", () => sidecar.chain, (chain) => chain !== before);
    ok(sidecar.trust.pem === second.roots?.roots.join(""));
    await sidecar.stop();
  },
);

labTest(
  "issuing: without an authority a sidecar waits, says why, and goes on when there is one",
  async (lab) => {
    const sidecar = new LabSidecar(lab, "cart");
    const problem = () => sidecar.keeper.problem ?? "";
    await until("it says why", problem, (text) => /has not read its authority/.test(text));
    equal(sidecar.used.length, 0);
    lab.identity.set(await newState("first"));
    await sidecar.keeper.first;
    await sidecar.stop();
  },
);
