// Tests of the options for TLS: what they come to, and what contradicts.
import assert from "node:assert/strict";
import { CommandFailure, EXIT } from "../console/exit.ts";
import { testEnvironment } from "../console/testing.ts";
import { completeOptions, parseQuickly } from "./options.ts";
import { parseTrustDomain, type TlsFiles, tlsFiles } from "./tls_options.ts";

function filesOf(...argv: string[]): TlsFiles | null {
  return tlsFiles(completeOptions(parseQuickly(argv) ?? {}, testEnvironment()));
}

Deno.test("TLS options: none, and everything is plain", () => {
  assert.equal(filesOf("-f", "a.yaml"), null);
  assert.equal(filesOf("--tls-min-version", "1.3"), null);
});

Deno.test("TLS options: all of them", () => {
  assert.deepEqual(
    filesOf(
      ...["--inbound-tls-cert", "i.crt", "--inbound-tls-key", "i.key"],
      ...["--inbound-tls-client-ca", "clients.crt", "--inbound-tls-client-cert", "optional"],
      ...["--outbound-tls-cert", "o.crt", "--outbound-tls-key", "o.key"],
      ...["--upstream-tls-ca", "servers.crt", "--upstream-tls-name", "web.app"],
      ...["--upstream-tls-cert", "u.crt", "--upstream-tls-key", "u.key"],
      ...["--upstream-tls-identity", "spiffe://a/b", "spiffe://a/c", "--tls-min-version", "1.3"],
    ),
    {
      minVersion: "1.3",
      inbound: {
        certificate: { chain: "i.crt", key: "i.key" },
        clientAuthority: "clients.crt",
        clientCertificate: "optional",
        acceptsPlain: false,
      },
      outbound: { certificate: { chain: "o.crt", key: "o.key" } },
      upstream: {
        certificate: { chain: "u.crt", key: "u.key" },
        authority: "servers.crt",
        target: { serverName: "web.app", uriSans: ["spiffe://a/b", "spiffe://a/c"] },
      },
      mesh: null,
    },
  );
});

Deno.test("TLS options: a client CA makes certificates required, none makes them ignored", () => {
  const own = ["--inbound-tls-cert", "i.crt", "--inbound-tls-key", "i.key"];
  assert.equal(filesOf(...own)?.inbound?.clientCertificate, "ignored");
  const verifying = filesOf(...own, "--inbound-tls-client-ca", "c.crt");
  assert.equal(verifying?.inbound?.clientCertificate, "required");
});

Deno.test("TLS options: callers may do without TLS where that is said", () => {
  const own = ["--inbound-tls-cert", "i.crt", "--inbound-tls-key", "i.key"];
  const files = filesOf(...own, "--inbound-plaintext", "accepted");
  assert.equal(files?.inbound?.acceptsPlain, true);
});

Deno.test("TLS options: an identity of the mesh is a directory, or the controller's, and goes with no others", () => {
  const [certificate, authority] = [{ chain: "/c/tls.crt", key: "/c/tls.key" }, "/c/ca.crt"];
  assert.deepEqual(filesOf("--identity", "/c")?.mesh, { certificate, authority });
  assert.equal(filesOf("--identity", "controller"), null);
  const own = ["--inbound-tls-cert", "i.crt", "--inbound-tls-key", "i.key"];
  assert.throws(() => filesOf(...own, "--identity", "/c"), CommandFailure);
});

Deno.test("TLS options: `system` is whom this system trusts", () => {
  const files = filesOf("--upstream-tls-ca", "system", "--upstream-tls-name", "web.app");
  assert.equal(files?.upstream?.authority, null);
});

Deno.test("TLS options: `plan` leaves it to the plan who each endpoint must be", () => {
  const ca = ["--upstream-tls-ca", "a"];
  assert.equal(filesOf(...ca, "--upstream-tls-identity", "plan")?.upstream?.target, null);
  for (const more of [["plan", "spiffe://a/b"], ["plan", "--upstream-tls-name", "web.app"]]) {
    assert.throws(
      () => filesOf(...ca, "--upstream-tls-identity", ...more),
      (error) => error instanceof CommandFailure && error.exitCode === EXIT.usage,
    );
  }
});

Deno.test("TLS options: identities in a variable have commas between, for they have colons", () => {
  const environment = testEnvironment({
    variables: { WEFT_PROXY_UPSTREAM_TLS_IDENTITY: "spiffe://a/b,spiffe://a/c" },
  });
  const given = parseQuickly(["--upstream-tls-ca", "a"]) ?? {};
  const files = tlsFiles(completeOptions(given, environment));
  assert.deepEqual(files?.upstream?.target?.uriSans, ["spiffe://a/b", "spiffe://a/c"]);
});

Deno.test("TLS options: contradictions are usage failures", () => {
  for (
    const argv of [
      ["--inbound-tls-cert", "a"],
      ["--outbound-tls-key", "a"],
      ["--inbound-tls-client-ca", "a"],
      ["--upstream-tls-name", "web.app"],
      ["--upstream-tls-identity", "spiffe://a/b"],
      ["--upstream-tls-cert", "a", "--upstream-tls-key", "b"],
      ["--upstream-tls-ca", "a"],
      ["--upstream-tls-ca", "a", "--upstream-tls-name", "b", "--upstream-tls-cert", "c"],
    ]
  ) {
    assert.throws(
      () => filesOf(...argv),
      (error) => error instanceof CommandFailure && error.exitCode === EXIT.usage,
      argv.join(" "),
    );
  }
});

Deno.test("TLS options: a trust domain is what ids begin with, not a URL", () => {
  assert.equal(parseTrustDomain("prod.example.org"), "prod.example.org");
  for (const text of ["spiffe://prod", "Prod", "prod/ns", ""]) {
    assert.throws(
      () => parseTrustDomain(text),
      (error) => error instanceof CommandFailure && error.exitCode === EXIT.usage,
    );
  }
});
