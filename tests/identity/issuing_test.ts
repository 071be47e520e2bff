/** From a sidecar's key to a certificate that others verify, over the stream of a controller; and who is given none. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { der } from "../../base/der.ts";
import { EXTENSIONS, readPrivateKey, signCertificate } from "../../controller/certificates.ts";
import {
  certificatesIn,
  chainProblem,
  readCertificate,
} from "../../controller/identity/certificate.ts";
import { writeSigningRequest } from "../../base/csr.ts";
import { bytesInPem, CERTIFICATE, pemOf } from "../../base/pem.ts";
import { validityOf } from "../../base/x509.ts";
import type { IdentityUpdate } from "../../routing/source/messages.ts";
import { until } from "../support/until.ts";
import { HAS_OPENSSL_COMMAND } from "../tls/certificates.ts";
import { IdentityLab, LabSidecar, newState, SetClock } from "./identity_lab.ts";
import { type Verifier, verifiers } from "./verifiers.ts";

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
    const byLeaf = await signedBy(sidecar.used[0].certificate.keyPem, leaf);
    const changed = leaf.slice();
    changed[leaf.length - 5] ^= 1;
    const broken = {
      "another root": { ...good, roots: others.join("") },
      "no intermediate": { ...good, chain: pemOf(CERTIFICATE, leaf) },
      "a changed signature": {
        ...good,
        chain: pemOf(CERTIFICATE, changed) + pemOf(CERTIFICATE, intermediate),
      },
      "one that a leaf has signed": { ...good, chain: pemOf(CERTIFICATE, byLeaf) + chain },
      "before its time": { ...good, at: new Date(fromMs - 60_000) },
      "after its time": { ...good, at: new Date(untilMs + 60_000) },
    };
    const own: Verifier = async ({ chain, roots, at }) =>
      await chainProblem(
        certificatesIn(chain, "the chain"),
        certificatesIn(roots, "the roots"),
        at.getTime(),
      ) ?? "ok";
    for (const verify of [own, ...await verifiers(lab.folder)]) {
      equal(await verify(good), "ok");
      for (const [what, each] of Object.entries(broken)) notEqual(await verify(each), "ok", what);
    }
  },
);

/** A certificate for the same name, by the key of one that is no authority. */
async function signedBy(keyPem: string, leaf: Uint8Array): Promise<Uint8Array> {
  const { subject, publicKey } = readCertificate(leaf);
  const nowMs = Date.now();
  return await signCertificate({
    ...{ issuer: subject, subject, publicKey, signingKey: await readPrivateKey(keyPem) },
    ...{ fromMs: nowMs - HOUR_MS, untilMs: nowMs + HOUR_MS },
    extensions: [
      EXTENSIONS.noAuthority(),
      EXTENSIONS.signsData(),
      EXTENSIONS.usedBy("server", "client"),
      EXTENSIONS.altNames([der.plain(6, new TextEncoder().encode(CART))], true),
    ],
  });
}

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

labTest(
  "issuing: renewed at half of its life, with another key, and not long before",
  async (lab) => {
    lab.identity.set(await newState("first"));
    const clock = new SetClock();
    const sidecar = new LabSidecar(lab, "cart", { clock });
    await sidecar.keeper.first;
    const [first] = sidecar.used;
    clock.aheadMs = 10 * HOUR_MS;
    // What it is told makes it look whether something is due.
    lab.identity.set({ ...lab.identity.state, problem: "looking" });
    const said = () => sidecar.log.some((line) => /looking/.test(line));
    await until("it has looked", said, (is) => is);
    equal(lab.counts.certificatesIssued, 1);
    clock.aheadMs = 14 * HOUR_MS;
    await until("it is renewed", () => sidecar.used.length, (used) => used === 2);
    notEqual(sidecar.used[1].certificate.keyPem, first.certificate.keyPem);
    equal(lab.counts.certificatesIssued, 2);
    await sidecar.stop();
  },
);

labTest(
  "issuing: what cannot be renewed is in use to its end, which is said, and then healed",
  async (lab) => {
    const state = await newState("first");
    lab.identity.set(state);
    const clock = new SetClock();
    const sidecar = new LabSidecar(lab, "cart", { clock });
    await sidecar.keeper.first;
    lab.identity.set({ ...state, provider: null, problem: "the key is lost" });
    clock.aheadMs = 14 * HOUR_MS;
    const refused = () => lab.counts.certificatesRefused.authority;
    await until("it asks", refused, (count) => count > 0);
    equal(sidecar.keeper.problem, null, "it is good still");
    clock.aheadMs = 25 * HOUR_MS;
    const said = () => sidecar.log.some((line) => /The certificate has expired/.test(line));
    await until("it is said", said, (is) => is);
    // The clock may have jumped over an answer.
    const problem = () => sidecar.keeper.problem ?? "";
    const isSaid = (text: string) => /has expired: the key is lost/.test(text);
    await until("it says why", problem, isSaid);
    equal(sidecar.used.length, 1);
    lab.identity.set(state);
    clock.aheadMs = 26 * HOUR_MS;
    await until("it is renewed", () => sidecar.used.length, (used) => used === 2);
    await sidecar.stop();
  },
);

labTest(
  "issuing: by a clock that is wrong by 5 minutes or a day it is said, and asked no more",
  async (lab) => {
    lab.identity.set(await newState("first"));
    const cases = [
      [5 / 60, /^$/],
      [24, /has expired/],
      [-5 / 60, /not valid yet: is the clock right/],
      [-24, /not valid yet: is the clock right/],
    ] as const;
    for (const [i, [hours, problem]] of cases.entries()) {
      const clock = new SetClock();
      clock.aheadMs = hours * HOUR_MS;
      const sidecar = new LabSidecar(lab, "cart", { clock });
      await sidecar.keeper.first;
      const line = () => sidecar.log.find((each) => /The clock differs/.test(each)) ?? "";
      const { aheadSeconds } = JSON.parse(await until("it is said", line, (text) => text !== ""));
      ok(Math.abs(aheadSeconds - hours * 3_600) < 60, String(aheadSeconds));
      match(sidecar.keeper.problem ?? "", problem);
      // What it is told makes it look whether something is due.
      lab.identity.set({ ...lab.identity.state, problem: `look ${i}` });
      const said = () => sidecar.log.some((each) => each.includes(`look ${i}`));
      await until("it has looked", said, (is) => is);
      equal(lab.counts.certificatesIssued, i + 1);
      await sidecar.stop();
    }
  },
);
