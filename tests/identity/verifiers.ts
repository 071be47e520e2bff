/** Verifiers of others, for chains that were issued here: OpenSSL's command line and Go's crypto/x509, where they are. */
import { hasCommand, runCommand } from "../support/commands.ts";

/** Verifies a chain as TLS does, and as the rules of X509-SVIDs ask. Writes one line: `ok`, or why not. */
const GO_PROGRAM = `package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"
)

func read(path string) (all []*x509.Certificate) {
	rest, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			fmt.Println("cannot parse:", err)
			os.Exit(0)
		}
		all = append(all, certificate)
	}
}

func main() {
	chain, uri := read(os.Args[1]), os.Args[3]
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	for _, root := range read(os.Args[2]) {
		options.Roots.AddCert(root)
	}
	for _, each := range chain[1:] {
		options.Intermediates.AddCert(each)
	}
	if at, err := time.Parse(time.RFC3339, os.Args[4]); err == nil {
		options.CurrentTime = at
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		options.KeyUsages = []x509.ExtKeyUsage{use}
		if _, err := chain[0].Verify(options); err != nil {
			fmt.Println(err)
			return
		}
	}
	leaf := chain[0]
	switch {
	case len(leaf.URIs) != 1 || leaf.URIs[0].String() != uri:
		fmt.Println("not this URI alone:", leaf.URIs)
	case len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) > 0 || leaf.Subject.String() != "":
		fmt.Println("more names than one")
	case leaf.IsCA || leaf.KeyUsage != x509.KeyUsageDigitalSignature:
		fmt.Println("more uses than one")
	default:
		fmt.Println("ok")
	}
}
`;

const HAS_GO = hasCommand("go");
if (!HAS_GO) console.warn("Chains are not verified by Go's crypto/x509: there is no Go here");

interface Verified {
  readonly chain: string;
  readonly roots: string;
  readonly uri: string;
  readonly at: Date;
}

export type Verifier = (what: Verified) => Promise<string>;

/** Both, each ready; what they say is `ok`, or why not. */
export async function verifiers(folder: string): Promise<readonly Verifier[]> {
  const openssl = async ({ chain, roots, at }: Verified) => {
    await writeFiles(folder, chain, roots);
    const { code, stdout, stderr } = await runCommand("openssl", [
      ...["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", `${folder}/roots.pem`],
      ...["-attime", String(Math.floor(at.getTime() / 1_000))],
      ...["-untrusted", `${folder}/chain.pem`, `${folder}/chain.pem`],
    ]);
    return code === 0 ? "ok" : stdout + stderr;
  };
  if (!HAS_GO) return [openssl];
  await Deno.writeTextFile(`${folder}/verify.go`, GO_PROGRAM);
  const program = `${folder}/verify`;
  const built = await runCommand("go", ["build", "-o", program, `${folder}/verify.go`]);
  if (built.code !== 0) throw new Error(built.stderr);
  const go = async ({ chain, roots, uri, at }: Verified) => {
    await writeFiles(folder, chain, roots);
    const args = [`${folder}/chain.pem`, `${folder}/roots.pem`, uri, at.toISOString()];
    const { stdout, stderr } = await runCommand(program, args);
    return (stdout + stderr).trim();
  };
  return [openssl, go];
}

async function writeFiles(folder: string, chain: string, roots: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/chain.pem`, chain);
  await Deno.writeTextFile(`${folder}/roots.pem`, roots);
}
