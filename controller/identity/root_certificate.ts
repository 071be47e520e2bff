/** A MeshRootCertificate as it is read: roots, what the mesh does with them, and who signs under them. */
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import type { IssuerRef } from "./cert_manager.ts";
import type { VaultPlace } from "./vault.ts";
import { certificatesIn, type X509Certificate } from "./certificate.ts";

/** Active signs and is trusted, passive is trusted, inactive is neither. */
type RootRole = "active" | "passive" | "inactive";

/** Where the key is that signs. */
type ProviderSpec =
  /** It cannot be read; the roots are trusted still. */
  | { readonly kind: "unreadable"; readonly problem: string }
  | { readonly kind: "secret"; readonly name: string }
  | { readonly kind: "files"; readonly directory: string }
  | { readonly kind: "certManager"; readonly issuer: IssuerRef }
  | { readonly kind: "vault"; readonly place: VaultPlace };

export interface RootCertificate {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly apiVersion: string;
  readonly createdAt: string;
  readonly role: RootRole;
  readonly roots: readonly X509Certificate[];
  readonly provider: ProviderSpec;
}

export const ROOT_KIND = "MeshRootCertificate";
export const ROOT_API_VERSION = "weft.dev/v1alpha1";

/** Secrets that the controller may read: two are enough for a change from one to the other. */
export const KEY_SECRETS = ["weft-identity-a", "weft-identity-b"] as const;

/** @throws {Error} one line: it is of no use */
export function readRootCertificate(object: JsonFields): RootCertificate {
  const metadata = fieldsOf(object["metadata"]);
  const spec = fieldsOf(object["spec"]);
  const role = textField(spec, "role");
  if (role !== "active" && role !== "passive" && role !== "inactive") {
    throw new Error("spec.role is none of active, passive and inactive");
  }
  const roots = certificatesIn(textField(spec, "roots") ?? "", "spec.roots");
  const name = textField(metadata, "name") ?? "";
  const other = roots.find(({ isAuthority }) => !isAuthority);
  if (other !== undefined) throw new Error("A certificate in spec.roots is none of an authority");
  return {
    name,
    uid: textField(metadata, "uid") ?? "",
    generation: Number(metadata["generation"] ?? 0),
    apiVersion: textField(object, "apiVersion") ?? "",
    createdAt: textField(metadata, "creationTimestamp") ?? "",
    role,
    roots,
    provider: providerIn(fieldsOf(spec["provider"])),
  };
}

function providerIn(fields: JsonFields): ProviderSpec {
  try {
    return readProvider(fields);
  } catch (error) {
    return {
      kind: "unreadable",
      problem: error instanceof Error ? error.message : String(error),
    };
  }
}

function readProvider(fields: JsonFields): ProviderSpec {
  const [kind, ...others] = Object.keys(fields);
  if (kind === undefined || others.length > 0) {
    throw new Error("spec.provider names not exactly one provider");
  }
  const given = fieldsOf(fields[kind]);
  switch (kind) {
    case "secret": {
      const name = textField(given, "name") ?? "";
      if (KEY_SECRETS.some((each) => each === name)) return { kind, name };
      throw new Error(`spec.provider.secret.name is none of ${KEY_SECRETS.join(", ")}`);
    }
    case "files": {
      const directory = textField(given, "directory") ?? "";
      if (directory.startsWith("/")) return { kind, directory };
      throw new Error("spec.provider.files.directory is no absolute path");
    }
    case "certManager": {
      const name = textField(given, "issuerName") ?? "";
      if (name === "") throw new Error("spec.provider.certManager.issuerName is missing");
      const issuerKind = textField(given, "issuerKind") ?? "Issuer";
      const group = textField(given, "issuerGroup") ?? "cert-manager.io";
      return { kind, issuer: { name, kind: issuerKind, group } };
    }
    case "vault":
      return { kind, place: readVaultPlace(given) };
    default:
      throw new Error(`spec.provider.${kind} is no provider that this version knows`);
  }
}

const VAULT_PATH = /^[\w.-]+(\/[\w.-]+)*$/;

function readVaultPlace(given: JsonFields): VaultPlace {
  const address = textField(given, "address") ?? "";
  if (!/^https?:\/\/[^/\s?#]+$/.test(address)) {
    throw new Error("spec.provider.vault.address is no URL like https://vault.vault.svc:8200");
  }
  const path = (name: string, standard = "") => {
    const text = textField(given, name) ?? standard;
    if (VAULT_PATH.test(text) && !text.includes("..")) return text;
    throw new Error(`spec.provider.vault.${name} is missing, or no path of Vault`);
  };
  return {
    address,
    mount: path("mount", "pki"),
    role: path("role"),
    authMount: path("authMount", "kubernetes"),
    authRole: path("authRole"),
    authority: textField(given, "caBundle") ?? "",
  };
}

/** The object of a root whose key is in a Secret. */
export function rootObject(
  name: string,
  namespace: string,
  spec: { readonly role: RootRole; readonly roots: string; readonly provider: JsonFields },
) {
  return {
    apiVersion: ROOT_API_VERSION,
    kind: ROOT_KIND,
    // By which an uninstallation finds it.
    metadata: { name, namespace, labels: { "app.kubernetes.io/name": "weft" } },
    spec,
  };
}
