/** Who comes in from outside the mesh: the cases by the rules of a plan, and through a sidecar, over real sockets. */
import assert from "node:assert/strict";
import { explainOutsideOf } from "../../offline/answer.ts";
import { IngressRules } from "../../routing/table/ingress_rules.ts";
import { requestHeadOf } from "../../routing/request.ts";
import { hasCommand, runCommand } from "../support/commands.ts";
import { DRIVERS } from "../support/test_proxy.ts";
import {
  certificateFor,
  CLIENT_ID,
  HAS_OPENSSL_COMMAND,
  SERVER_ID,
  showing,
  type TestCertificate,
  testCertificates,
} from "./certificates.ts";
import {
  ACCOUNT,
  INGRESS_CASES,
  ingressCallOf,
  ingressPlan,
  NGINX_ID,
  POD,
  type Shown,
} from "./ingress_cases.ts";
import { meshOf, startTlsApplication, TlsMesh } from "./mesh_lab.ts";

const IDENTITIES: Readonly<Record<NonNullable<Shown>, string>> = {
  nginx: "ingress/nginx",
  client: "default/client",
  stranger: "",
};

Deno.test("ingress: the rules of a plan let in what the cases say", () => {
  const port = 8080;
  for (const each of INGRESS_CASES) {
    const own = ingressPlan(each, port).ingress?.[ACCOUNT] ?? [];
    const rules = new IngressRules(own, "cluster.local");
    for (const [asked, outcome] of each.calls) {
      const { from: peer, tls, shown, method, path } = ingressCallOf(asked);
      const serverName = tls?.toLowerCase() ?? null;
      const place = { pod: POD, port };
      const isEnded = serverName === null || rules.tlsOf(place, serverName) !== null;
      const head = requestHeadOf({ method, url: `http://app${path}` });
      const identity = shown === null ? "" : IDENTITIES[shown];
      const call = { ...place, peer, identity, serverName, head };
      const isLetIn = isEnded && rules.allowing(call) !== null;
      const text = `${each.name}: ${JSON.stringify(asked)}`;
      assert.equal(isLetIn, outcome === "let-in" || outcome === "path-ambiguous", text);
      assert.equal(isLetIn && rules.isAmbiguous(call), outcome === "path-ambiguous", text);
      assert.equal(rules.allowing({ ...call, head: null }), null, text);
    }
  }
});

Deno.test("ingress: weft explain says of manifests what the cases say", () => {
  for (const each of INGRESS_CASES) {
    const plan = ingressPlan(each, 8080);
    for (const [asked, outcome] of each.calls) {
      const { from: peer, tls: serverName, shown, method, path } = ingressCallOf(asked);
      const identity = shown === null ? "" : IDENTITIES[shown];
      const said = explainOutsideOf(plan, {
        ...{ method, url: `http://app.default${path}`, headers: [] },
        from: { namespace: "default", identity },
      }, { peer, serverName: serverName?.toLowerCase() ?? null });
      const text = `${each.name}: ${JSON.stringify(asked)}`;
      if (outcome !== "no-tls") assert.equal(said?.reason ?? "let-in", outcome, text);
      else assert.equal(said?.outcome, "refuse", text);
    }
  }
});

/** What a sidecar says of it, as `sent` has it. */
async function told(
  admin: number | undefined,
  { from: peer, tls, shown, method, path }: ReturnType<typeof ingressCallOf>,
): Promise<string> {
  const query = new URLSearchParams({
    ...{ url: `http://app.default${path}`, method, side: "inbound", peer },
    ...(tls === null ? {} : { serverName: tls.toLowerCase() }),
    caller: shown === null ? "" : IDENTITIES[shown],
  });
  const answer = await fetch(`http://127.0.0.1:${admin}/explain?${query}`);
  return (await answer.json()).reason ?? "let-in";
}

/** What curl gets: `let-in`, a reason, or `no-tls`. */
async function sent(
  port: number,
  { from, tls, shown, method, path }: ReturnType<typeof ingressCallOf>,
  certificates: Readonly<Record<NonNullable<Shown>, TestCertificate>>,
): Promise<string> {
  const host = tls || "127.0.0.1";
  const { code, stdout, stderr } = await runCommand("curl", [
    ...["-sS", "-k", "--max-time", "60", "-D", "-", "-o", "/dev/null", "--path-as-is"],
    ...["--interface", from, "--resolve", `${host}:${port}:127.0.0.1`, "-X", method],
    ...(shown === null ? [] : showing(certificates[shown])),
    `${tls === null ? "http" : "https"}://${host}:${port}${path}`,
  ]);
  // Refused within the handshake, or before curl could send or receive anything after its own part of that (TLS 1.3).
  if (tls !== null && [35, 55, 56].includes(code)) return "no-tls";
  assert.equal(code, 0, stderr);
  const reason = /^x-weft-reason: (.*)\r?$/im.exec(stdout)?.[1];
  return reason ?? (/^HTTP\/\S+ 200/.test(stdout) ? "let-in" : stdout);
}

for (const driver of DRIVERS.filter((each) => each === "native")) {
  Deno.test({
    name: `ingress (${driver}): a sidecar of a strict mesh lets in what the cases say`,
    ignore: !HAS_OPENSSL_COMMAND || !hasCommand("curl"),
    async fn() {
      await using application = startTlsApplication();
      await using mesh = await TlsMesh.start(driver, application.addr.port);
      const { port } = mesh.server.inbound[0];
      const { authority, impostor } = testCertificates();
      await mesh.server.replaceCertificates(meshOf(certificateFor(`URI:${SERVER_ID}`), authority));
      const certificates = {
        nginx: certificateFor(`URI:${NGINX_ID}`),
        client: certificateFor(`URI:${CLIENT_ID}`),
        stranger: impostor,
      };
      for (const each of INGRESS_CASES) {
        await mesh.server.apply(ingressPlan(each, application.addr.port));
        for (const [asked, outcome] of each.calls) {
          const text = `${each.name}: ${JSON.stringify(asked)}`;
          assert.equal(await sent(port, ingressCallOf(asked), certificates), outcome, text);
          // It is not told which pod it is.
          if (outcome === "no-tls" || each.backend?.["name"] === "other") continue;
          assert.equal(await told(mesh.server.admin?.port, ingressCallOf(asked)), outcome, text);
        }
      }
      // Whom to trust is replaced for callers from outside too.
      const source = { kind: "AuthenticatedPrincipal", name: CLIENT_ID };
      const backend = { port: { protocol: "https" } };
      await mesh.server.apply(ingressPlan({ backend, sources: [source] }, application.addr.port));
      const call = ingressCallOf({ tls: "shop.example", shown: "stranger" });
      assert.equal(await sent(port, call, certificates), "no-tls");
      const { otherAuthority } = testCertificates();
      const own = certificateFor(`URI:${SERVER_ID}`);
      await mesh.server.replaceCertificates(meshOf(own, authority, otherAuthority));
      assert.equal(await sent(port, call, certificates), "let-in");
    },
  });
}
