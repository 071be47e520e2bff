/** What `weft certificate rotate --to` names: a provider, and the roots that proxies are to trust for it. */
import { readText } from "../../base/read_text.ts";
import { CommandFailure, usageFailure } from "../../console/exit.ts";
import { certificatesIn, pemsOf } from "../../controller/identity/certificate.ts";

/** Null: a new key in a Secret, with a root of its own. */
export interface TargetAuthority {
  readonly roots: string;
  readonly provider: Readonly<Record<string, unknown>>;
}

const HINT = "Write secret, files:DIRECTORY, cert-manager:[KIND/]NAME or vault:ROLE@ADDRESS.";

export async function targetAuthority(
  to: string,
  rootsFile: string | undefined,
): Promise<TargetAuthority | null> {
  const [kind, ...rest] = to.split(":");
  const given = rest.join(":");
  if (kind === "secret") {
    if (given !== "" || rootsFile !== undefined) {
      throw usageFailure("--to secret makes a root of its own", "Leave out --roots.");
    }
    return null;
  }
  const provider = providerOf(kind, given);
  if (rootsFile === undefined) {
    throw usageFailure(
      `--to ${kind} needs --roots`,
      "Give the file of the authority's root certificates: what proxies trust is said by you.",
    );
  }
  return { roots: await readRoots(rootsFile), provider };
}

function providerOf(kind: string, given: string): TargetAuthority["provider"] {
  if (kind === "files" && given.startsWith("/")) return { files: { directory: given } };
  if (kind === "cert-manager" && given !== "") {
    const [issuerName, issuerKind = "Issuer"] = given.split("/").reverse();
    return { certManager: { issuerName, issuerKind } };
  }
  const [, role, address] = /^([^@]+)@(https?:\/\/.+)$/.exec(given) ?? [];
  if (kind === "vault" && role !== undefined) {
    return { vault: { address, role, authRole: "weft" } };
  }
  throw usageFailure(`--to cannot be ${JSON.stringify(`${kind}:${given}`)}`, HINT);
}

/** In the one spelling, without what else stands in the file. */
async function readRoots(file: string): Promise<string> {
  try {
    return pemsOf(certificatesIn(await readText(file), `"${file}"`)).join("");
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error));
  }
}
