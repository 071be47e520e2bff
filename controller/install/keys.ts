/** The keys of an installation: those of an earlier one as long as they are good, else new ones. */
import { expiryOf } from "../../base/x509.ts";
import { type KeyPair, makeAuthority, makeCertificate } from "../certificates.ts";
import { DAY_MS, RENEW_DAYS } from "../inject/limits.ts";
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf, textField } from "../kube/fields.ts";
import { findObject } from "./cluster.ts";
import { CA_SECRET, controllerNames, type InstallKeys, TLS_SECRET } from "./objects.ts";
import type { InstallValues } from "./values.ts";

export async function newKeys(values: InstallValues): Promise<InstallKeys> {
  const authority = await makeAuthority();
  return { authority, controller: await makeCertificate(authority, controllerNames(values)) };
}

/** Pods that run know the controller by its authority, so that stays. */
export async function keysFor(client: KubeClient, values: InstallValues): Promise<InstallKeys> {
  const place = { client, namespace: values.namespace };
  const authority = await pairIn(place, CA_SECRET, "ca.crt", "ca.key");
  if (authority === null) return await newKeys(values);
  const found = await pairIn(place, TLS_SECRET, "tls.crt", "tls.key");
  const controller = found ?? await makeCertificate(authority, controllerNames(values));
  return { authority, controller };
}

/** Null: there is none, or it ends before long. */
async function pairIn(
  { client, namespace }: { readonly client: KubeClient; readonly namespace: string },
  name: string,
  certName: string,
  keyName: string,
): Promise<KeyPair | null> {
  const metadata = { name, namespace };
  const secret = await findObject(client, { apiVersion: "v1", kind: "Secret", metadata });
  const data = fieldsOf(secret?.["data"]);
  const [cert, key] = [certName, keyName].map((each) => decoded(textField(data, each)));
  const isGood = ((expiryOf(cert) ?? 0) - Date.now()) / DAY_MS > RENEW_DAYS && key !== "";
  return isGood ? { cert, key } : null;
}

function decoded(base64: string | undefined): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(base64 ?? ""));
  } catch {
    return "";
  }
}
