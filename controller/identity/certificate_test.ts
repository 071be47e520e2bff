/** Chains of authorities that others have made, with the keys that they use: what OpenSSL accepts is accepted, and what it refuses refused. */
import { equal, match, notEqual } from "node:assert/strict";
import { runCommand } from "../../tests/support/commands.ts";
import { HAS_OPENSSL_COMMAND } from "../../tests/tls/certificates.ts";
import { certificatesIn, chainProblem } from "./certificate.ts";

const DAY_MS = 86_400_000;
const AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign";
const LEAF = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature";
const KEYS = {
  "P-256": ["ecparam", "-name", "P-256", "-genkey", "-noout"],
  "P-384": ["ecparam", "-name", "P-384", "-genkey", "-noout"],
  RSA: ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
} as const;

class Maker {
  readonly folder = Deno.makeTempDirSync();

  async openssl(...args: readonly string[]): Promise<void> {
    const { code, stderr } = await runCommand("openssl", args);
    equal(code, 0, stderr);
  }

  file(name: string): string {
    return `${this.folder}/${name}`;
  }

  read(name: string): string {
    return Deno.readTextFileSync(this.file(`${name}.crt`));
  }

  /** A certificate of this name, signed by `issuer`; by itself where that is null. */
  async make(
    name: string,
    issuer: string | null,
    { key = "P-256", extensions = AUTHORITY, hash = "sha256" }: {
      readonly key?: keyof typeof KEYS;
      readonly extensions?: string;
      readonly hash?: string;
    } = {},
  ): Promise<void> {
    const [keyFile, csr, settings] = ["key", "csr", "ext"].map((end) =>
      this.file(`${name}.${end}`)
    );
    await this.openssl(...KEYS[key], "-out", keyFile);
    Deno.writeTextFileSync(settings, `${extensions}\nsubjectKeyIdentifier=hash\n`);
    await this.openssl("req", "-new", "-key", keyFile, "-subj", `/CN=${name}`, "-out", csr);
    const signer = issuer === null ? ["-signkey", keyFile] : [
      "-CA",
      this.file(`${issuer}.crt`),
      "-CAkey",
      this.file(`${issuer}.key`),
      "-CAcreateserial",
    ];
    const out = ["-out", this.file(`${name}.crt`), "-days", "2", `-${hash}`];
    await this.openssl("x509", "-req", "-in", csr, "-extfile", settings, ...signer, ...out);
  }

  /** Whether both say that a chain leads to the root; why not. */
  async problem(chain: readonly string[], root: string, atMs = Date.now()): Promise<string | null> {
    const texts = chain.map((name) => this.read(name));
    const own = await chainProblem(
      certificatesIn(texts.join(""), "chain"),
      certificatesIn(this.read(root), "root"),
      atMs,
    );
    Deno.writeTextFileSync(this.file("between"), texts.slice(1).join("") || this.read(root));
    const { code } = await runCommand("openssl", [
      ...["verify", "-CAfile", this.file(`${root}.crt`), "-untrusted", this.file("between")],
      ...["-attime", String(Math.floor(atMs / 1_000)), this.file(`${chain[0]}.crt`)],
    ]);
    equal(own === null, code === 0, `${chain}: ${own}`);
    return own;
  }
}

Deno.test({
  name: "certificates: chains by RSA, P-256 and P-384, as OpenSSL verifies them",
  ignore: !HAS_OPENSSL_COMMAND,
  async fn() {
    const maker = new Maker();
    await maker.make("other", null);
    for (
      const [key, hash] of [["RSA", "sha256"], ["RSA", "sha512"], ["P-384", "sha384"]] as const
    ) {
      const [root, between, leaf] = ["root", "between", "leaf"].map((each) => `${each}-${hash}`);
      await maker.make(root, null, { key, hash });
      await maker.make(between, root, { hash });
      await maker.make(leaf, between, { extensions: LEAF });
      equal(await maker.problem([leaf, between], root), null);
      equal(await maker.problem([leaf, between, root], root), null, "the root may be in it");
      notEqual(await maker.problem([leaf], root), null);
      match(await maker.problem([leaf, between], "other") ?? "", /none of the roots/);
      match(await maker.problem([leaf, between], root, Date.now() + 3 * DAY_MS) ?? "", /expired/);
      match(
        await maker.problem([leaf, between], root, Date.now() - DAY_MS) ?? "",
        /not valid before/,
      );
    }
    await Deno.remove(maker.folder, { recursive: true });
  },
});

Deno.test({
  name: "certificates: what may not sign does not vouch",
  ignore: !HAS_OPENSSL_COMMAND,
  async fn() {
    const maker = new Maker();
    await maker.make("root", null);
    const unable = {
      "no-authority": LEAF,
      "no-signing": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature",
    };
    for (const [name, extensions] of Object.entries(unable)) {
      await maker.make(name, "root", { extensions });
      await maker.make(`below-${name}`, name, { extensions: LEAF });
      match(await maker.problem([`below-${name}`, name], "root") ?? "", /not signed by the next/);
    }
    await Deno.remove(maker.folder, { recursive: true });
  },
});
