/** Certificates for tests, made by the `openssl` command when they are first wanted. Valid for two days. */
import type { TlsCertificate } from "../../base/tls.ts";
import { hasCommand } from "../support/commands.ts";

/** A certificate with its key, as text and as files. */
export interface TestCertificate extends TlsCertificate {
  readonly chainFile: string;
  readonly keyFile: string;
}

export interface TestCertificates {
  readonly folder: string;
  /** Vouches for all of the following but the last two. */
  readonly authority: TestCertificate;
  /** For `localhost` and 127.0.0.1, and the identity of the service account `server`. */
  readonly server: TestCertificate;
  /** As `server`, and another certificate. */
  readonly renewed: TestCertificate;
  /** The identity of the service account `client`, vouched for by an intermediate that is in the chain. */
  readonly client: TestCertificate;
  /** Two identities at once, which is none. */
  readonly ambiguous: TestCertificate;
  readonly otherAuthority: TestCertificate;
  /** The identity of `client` as the other authority gives it. */
  readonly impostor: TestCertificate;
}

export const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";
export const CLIENT_ID = "spiffe://cluster.local/ns/default/sa/client";

/** False: the tests of TLS are passed over, and say so. */
export const HAS_OPENSSL_COMMAND = hasCommand("openssl");
if (!HAS_OPENSSL_COMMAND) {
  console.warn("Tests of TLS are passed over: they need the openssl command for certificates");
}

const [major, minor] = Deno.version.deno.split(".").map(Number);
/** `node:tls` has what the portable driver needs from Deno 2.9 on. */
export const HAS_PORTABLE_TLS = major > 2 || minor >= 9;

let made: TestCertificates | null = null;

/** Makes them once a process; the folder goes when the process ends. */
export function testCertificates(): TestCertificates {
  made ??= makeAll(Deno.makeTempDirSync({ prefix: "weft-tls-" }));
  return made;
}

function makeAll(folder: string): TestCertificates {
  addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  const authority = makeAuthority(folder, "authority", null);
  const intermediate = makeAuthority(folder, "intermediate", authority);
  const otherAuthority = makeAuthority(folder, "other-authority", null);
  const names = `DNS:localhost,IP:127.0.0.1,URI:${SERVER_ID}`;
  const client = make(folder, "client", intermediate, `URI:${CLIENT_ID}`);
  const chainPem = client.chainPem + intermediate.chainPem;
  Deno.writeTextFileSync(client.chainFile, chainPem);
  return {
    folder,
    authority,
    server: make(folder, "server", authority, names),
    renewed: make(folder, "renewed", authority, names),
    client: { ...client, chainPem },
    ambiguous: make(folder, "ambiguous", authority, `URI:${CLIENT_ID},URI:${SERVER_ID}`),
    otherAuthority,
    impostor: make(folder, "impostor", otherAuthority, `URI:${CLIENT_ID}`),
  };
}

/** A certificate by `authority` with these alternative names, such as `URI:spiffe://…`; empty: with none. */
export function certificateFor(alternativeNames: string): TestCertificate {
  const { folder, authority } = testCertificates();
  return make(folder, `of-${count++}`, authority, alternativeNames);
}

/** The same with a subject of its own, such as `/O=system:masters/CN=admin`. */
export function certificateOf(subject: string, alternativeNames = ""): TestCertificate {
  const { folder, authority } = testCertificates();
  return make(folder, `of-${count++}`, authority, alternativeNames, subject);
}

let count = 0;

function makeAuthority(
  folder: string,
  name: string,
  issuer: TestCertificate | null,
): TestCertificate {
  return run(folder, name, issuer, ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"]);
}

function make(
  folder: string,
  name: string,
  issuer: TestCertificate,
  alternativeNames: string,
  subject?: string,
): TestCertificate {
  const extensions = [
    "basicConstraints=CA:FALSE",
    ...(alternativeNames === "" ? [] : [`subjectAltName=${alternativeNames}`]),
  ];
  return run(folder, name, issuer, extensions, subject);
}

function run(
  folder: string,
  name: string,
  issuer: TestCertificate | null,
  extensions: readonly string[],
  subject = `/CN=${name}`,
): TestCertificate {
  const chainFile = `${folder}/${name}.crt`;
  const keyFile = `${folder}/${name}.key`;
  const { success, stderr } = new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", keyFile, "-out", chainFile, "-days", "2", "-subj", subject],
      ...(issuer === null ? [] : ["-CA", issuer.chainFile, "-CAkey", issuer.keyFile]),
      ...extensions.flatMap((extension) => ["-addext", extension]),
    ],
  }).outputSync();
  if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
  return {
    chainFile,
    keyFile,
    chainPem: Deno.readTextFileSync(chainFile),
    keyPem: Deno.readTextFileSync(keyFile),
  };
}

/** What has curl show a certificate. */
export function showing({ chainFile, keyFile }: TestCertificate): string[] {
  return ["--cert", chainFile, "--key", keyFile];
}
