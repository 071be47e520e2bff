/** Two sidecars whose controller is away: for longer than a certificate waits for its renewal, and for longer than it is good. */
import assert from "node:assert/strict";
import type { TlsCertificate } from "../../base/tls.ts";
import { der } from "../../base/der.ts";
import { CERTIFICATE, pemOf } from "../../base/pem.ts";
import { expiryOf } from "../../base/x509.ts";
import { EXTENSIONS, readPrivateKey, signCertificate } from "../../controller/certificates.ts";
import { certificatesIn } from "../../controller/identity/certificate.ts";
import { newAuthority } from "../../controller/identity/new_authority.ts";
import type { CertificateOrder, IdentityState } from "../../controller/identity/provider.ts";
import { hashRoots } from "../../routing/source/wire.ts";
import { IdentityLab, LabSidecar, newState, SetClock } from "../identity/identity_lab.ts";
import { hasCommand, runCommand } from "../support/commands.ts";
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import { PATIENT_TIMEOUTS } from "../support/timeouts.ts";
import { until } from "../support/until.ts";
import { CLIENT_ID, HAS_OPENSSL_COMMAND, SERVER_ID } from "./certificates.ts";
import { ANSWERED, isReady, startTlsApplication, TlsMesh } from "./mesh_lab.ts";

const HOUR_MS = 3_600_000;
const ignore = !HAS_OPENSSL_COMMAND || !hasCommand("curl") || !DRIVERS.includes("native");

/** A controller, and the two sidecars that have their certificates from it. */
async function withCertificates(
  { mesh, state, clock }: {
    readonly mesh: TlsMesh;
    readonly state: IdentityState;
    readonly clock?: SetClock;
  },
  run: (lab: IdentityLab, sidecars: readonly LabSidecar[]) => Promise<void>,
): Promise<void> {
  const lab = new IdentityLab();
  await lab.start();
  lab.identity.set(state);
  const sidecars = (["client", "server"] as const).map((name) =>
    new LabSidecar(lab, name, {
      account: `default/${name}`,
      proxy: mesh[name],
      ...(clock === undefined ? {} : { clock }),
    })
  );
  try {
    await Promise.all(sidecars.map(({ keeper }) => keeper.first));
    await run(lab, sidecars);
  } finally {
    for (const sidecar of sidecars) await sidecar.stop();
    await lab.stop();
  }
}

/** One request after the other on one connection, until it is ended: what they got. */
function keepAsking(port: number): { end(): Promise<ReadonlyMap<number, number>> } {
  const statuses = new Map<number, number>();
  let isOver = false;
  const asking = (async () => {
    using socket = await RawSocket.connect(port);
    while (!isOver) {
      await socket.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      const status = statusOf(await socket.readResponse());
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  })();
  return {
    async end() {
      isOver = true;
      await asking;
      return statuses;
    },
  };
}

Deno.test({
  name: "expiry: a controller that is away when certificates are to be renewed costs no request",
  ignore,
  async fn() {
    await using application = startTlsApplication();
    await using mesh = await TlsMesh.start("native", application.addr.port);
    const clock = new SetClock();
    const state = await newState("first");
    await withCertificates({ mesh, state, clock }, async (lab, sidecars) => {
      const traffic = keepAsking(mesh.client.outbound[0].port);
      await lab.leave();
      clock.aheadMs = 14 * HOUR_MS;
      const areAlone = () =>
        sidecars.every(({ log }) => log.some((line) => /is away.*refused/.test(line)));
      await until("they have lost it", areAlone, (are) => are);
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.deepEqual(sidecars.map(({ used, keeper }) => [used.length, keeper.problem]), [
        [1, null],
        [1, null],
      ]);
      await lab.start();
      const used = () => sidecars.map((sidecar) => sidecar.used.length).join();
      await until("both are renewed", used, (counts) => counts === "2,2");
      assert.deepEqual(await mesh.get(), ANSWERED);
      assert.deepEqual([...(await traffic.end()).keys()], [200]);
    });
  },
});

/** It signs for a day, but for one account for so long only. */
async function shortFor(shortUri: string, lifeMs: number): Promise<IdentityState> {
  const { roots, chain, key } = await newAuthority();
  const [{ subject: issuer }] = certificatesIn(chain, "chain");
  const signingKey = await readPrivateKey(key);
  const issue = async ({ publicKey, uri }: CertificateOrder) => {
    const nowMs = Date.now();
    const leaf = await signCertificate({
      ...{ issuer, subject: der.sequence(), publicKey, signingKey, fromMs: nowMs - HOUR_MS },
      untilMs: nowMs + (uri === shortUri ? lifeMs : 24 * HOUR_MS),
      extensions: [EXTENSIONS.altNames([der.plain(6, new TextEncoder().encode(uri))], true)],
    });
    return pemOf(CERTIFICATE, leaf) + chain;
  };
  return {
    ...{ signer: "first", problem: "", authorities: [], expiresAtMs: null },
    roots: { hash: hashRoots([roots]), roots: [roots] },
    provider: { issue, expiresAtMs: null },
  };
}

async function counted(mesh: TlsMesh, side: "client" | "server", name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${mesh[side].admin?.port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

/** Each request comes on a connection of its own between the sidecars. */
const SHORT_CONNECTIONS = { ...PATIENT_TIMEOUTS, upstreamIdleMs: 1 };

/** But the one of the slow request. */
async function untilNoneIsKept(mesh: TlsMesh): Promise<void> {
  const open = () => counted(mesh, "client", "weft_upstream_connections_open");
  await until("no connection is kept", open, (count) => count === 1);
}

/** Another program with the client's certificate, which resumes what it is told to. */
class Stranger {
  readonly #port: number;
  readonly #certificate: TlsCertificate;

  constructor(mesh: TlsMesh, { used }: LabSidecar) {
    this.#port = mesh.server.inbound[0].port;
    this.#certificate = used[0].certificate;
  }

  /** The status that it gets; empty: no answer. */
  async ask(flags: readonly string[]): Promise<string> {
    const folder = await Deno.makeTempDir();
    const [chain, key] = [`${folder}/chain`, `${folder}/key`];
    await Deno.writeTextFile(chain, this.#certificate.chainPem);
    await Deno.writeTextFile(key, this.#certificate.keyPem);
    const { stdout } = await runCommand("openssl", [
      ...["s_client", "-connect", `127.0.0.1:${this.#port}`, "-quiet", "-alpn", "weft-http/1.1"],
      ...["-cert", chain, "-cert_chain", chain, "-key", key, ...flags],
    ], "GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n");
    await Deno.remove(folder, { recursive: true });
    return /^HTTP\/1\.1 (\d+)/.exec(stdout)?.[1] ?? "";
  }
}

/** False: the certificate had expired before that could be tried which comes before, so it is to live longer. */
async function triedAtExpiry(who: "client" | "server", lifeMs: number): Promise<boolean> {
  const release = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await using application = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async ({ url, headers }) => {
      if (new URL(url).pathname === "/slow") {
        asked.resolve();
        await release.promise;
      }
      return new Response(`over ${headers.get("x-forwarded-proto")}\n`);
    },
  );
  await using mesh = await TlsMesh.start("native", application.addr.port, SHORT_CONNECTIONS);
  const state = await shortFor(who === "client" ? CLIENT_ID : SERVER_ID, lifeMs);
  let wasInTime = false;
  await withCertificates({ mesh, state }, async (lab, sidecars) => {
    await lab.leave();
    using slow = await RawSocket.connect(mesh.client.outbound[0].port);
    await slow.send("GET /slow HTTP/1.1\r\nHost: app\r\n\r\n");
    const stranger = new Stranger(mesh, sidecars[0]);
    const session = `${lab.folder}/session`;
    const taken = await stranger.ask(["-sess_out", session]);
    const resumed = await stranger.ask(["-sess_in", session]);
    const first = await mesh.get();
    await untilNoneIsKept(mesh);
    const second = await mesh.get();
    const short = sidecars[who === "client" ? 0 : 1];
    const untilMs = expiryOf(short.chain) ?? 0;
    wasInTime = Date.now() < untilMs;
    if (!wasInTime) return release.resolve();
    assert.deepEqual([first, second, taken, resumed], [ANSWERED, ANSWERED, "200", "200"]);
    await asked.promise;
    await until("it has expired", () => Date.now(), (nowMs) => nowMs > untilMs + 1_000);
    // What is open stays; another connection is refused, also one that would resume a session.
    release.resolve();
    assert.equal(statusOf(await slow.readResponse()), 200);
    for (let i = 0; i < 3; i++) {
      // A client that is refused learns it after its handshake (TLS 1.3), when its request is on its way.
      assert.ok([502, 503].includes((await mesh.get())[0]));
    }
    assert.equal(await counted(mesh, "client", "weft_tls_resumptions_total"), 1);
    if (who === "client") assert.equal(await stranger.ask(["-sess_in", session]), "");
    assert.deepEqual(await isReady(mesh.server), [200, "ready\n"]);
    assert.match(short.keeper.problem ?? "", /^the certificate has expired: /);
    lab.identity.set({ ...(await newState("second")), signer: "second" });
    await lab.start();
    const isHealed = async () => (await mesh.get())[0];
    await until("it heals", isHealed, (status) => status === 200);
  });
  return wasInTime;
}

for (const who of ["client", "server"] as const) {
  Deno.test({
    name: `expiry: the ${who}'s certificate ends what is new, and nothing that is open`,
    ignore,
    async fn() {
      for (let lifeMs = 3_000; !await triedAtExpiry(who, lifeMs);) lifeMs *= 2;
    },
  });
}
