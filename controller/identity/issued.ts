/** What an authority elsewhere has signed, looked at before a proxy is given it: others' rules are not ours. */
import type { CertificateOrder } from "./provider.ts";
import { certificatesIn, chainProblem, pemsOf, type X509Certificate } from "./certificate.ts";

/**
 * The chain as a proxy is given it: without the root.
 * @throws {Error} one line: it is not what was ordered, or proxies would refuse it
 */
export async function checkedChain(
  pem: string,
  { publicKey, uri }: CertificateOrder,
  roots: readonly X509Certificate[],
): Promise<string> {
  const chain = certificatesIn(pem, "what was signed");
  const [leaf] = chain;
  if (leaf.publicKey.toHex() !== publicKey.toHex()) throw new Error("another key was signed");
  if (leaf.uris.length !== 1 || leaf.uris[0] !== uri) {
    throw new Error(`it was signed for ${leaf.uris.join(", ") || "no SPIFFE id"}, not for ${uri}`);
  }
  if (leaf.isAuthority) throw new Error("an authority was signed");
  const problem = await chainProblem(chain, roots, Date.now());
  if (problem !== null) throw new Error(`what was signed is refused: ${problem}`);
  const rootTexts = new Set(pemsOf(roots));
  return pemsOf(chain).filter((each) => !rootTexts.has(each)).join("");
}
