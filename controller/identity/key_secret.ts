/** The Secret of an authority's key: read by who signs, made once by who makes an authority. */
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, textField } from "../kube/fields.ts";
import { newAuthority } from "./new_authority.ts";
import type { KeyTexts } from "./signing_key.ts";

interface SecretTexts extends KeyTexts {
  /** Empty: it holds none. */
  readonly roots: string;
}

type Calls = Pick<KubeClient, "call">;

const pathOf = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`;

/**
 * Null: there is none.
 * @throws {Error} it cannot be read
 */
export async function readKeySecret(
  client: Calls,
  namespace: string,
  name: string,
): Promise<SecretTexts | null> {
  try {
    const secret = fieldsOf(await client.call("GET", `${pathOf(namespace)}/${name}`));
    const data = fieldsOf(secret["data"]);
    const text = (key: string) => textIn(textField(data, key) ?? "");
    return { roots: text("ca.crt"), chain: text("tls.crt"), key: text("tls.key") };
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return null;
    throw error;
  }
}

/**
 * Makes a new authority, where there is no Secret of the name; the first replica has made it.
 * @throws {Error} it cannot be made or read
 */
export async function makeKeySecret(
  client: Calls,
  namespace: string,
  name: string,
): Promise<SecretTexts> {
  const { roots, chain, key } = await newAuthority();
  try {
    await client.call("POST", pathOf(namespace), {
      body: {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace, labels: { "app.kubernetes.io/name": "weft" } },
        type: "kubernetes.io/tls",
        stringData: { "ca.crt": roots, "tls.crt": chain, "tls.key": key },
      },
    });
    return { roots, chain, key };
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 409)) throw error;
  }
  const made = await readKeySecret(client, namespace, name);
  if (made === null) throw new Error(`Secret ${namespace}/${name} comes and goes`);
  return made;
}

function textIn(base64: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(base64));
  } catch {
    return "";
  }
}
