/**
 * A program that gets credentials (`users[].user.exec` of a kubeconfig), as clouds have them. What it gave is used until it expires.
 */
import { withDeadline } from "../../base/deadline.ts";
import { CREDENTIAL_PROGRAM_MS } from "../limits.ts";
import type { ClusterAccess } from "./access.ts";
import { fieldsOf, type JsonFields, textField } from "./fields.ts";

type Credential = Pick<ClusterAccess, "certificate" | "token">;

interface Known {
  readonly credential: Credential;
  /** Infinity: the program did not say. */
  readonly untilMs: number;
}

/** By command line. */
const known = new Map<string, Known>();

/** @throws {Error} one line says what the program did */
export async function programCredential(exec: JsonFields, folder: string): Promise<Credential> {
  const key = JSON.stringify([exec, folder]);
  const earlier = known.get(key);
  if (earlier !== undefined && earlier.untilMs > Date.now()) return earlier.credential;
  const status = fieldsOf(fieldsOf(JSON.parse(await outputOf(exec, folder)))["status"]);
  const cert = textField(status, "clientCertificateData");
  const certKey = textField(status, "clientKeyData");
  const token = textField(status, "token");
  const credential = {
    ...(cert === undefined || certKey === undefined ? {} : { certificate: { cert, key: certKey } }),
    ...(token === undefined ? {} : { token }),
  };
  const expires = Date.parse(textField(status, "expirationTimestamp") ?? "");
  known.set(key, { credential, untilMs: Number.isNaN(expires) ? Infinity : expires });
  return credential;
}

async function outputOf(exec: JsonFields, folder: string): Promise<string> {
  const name = textField(exec, "command") ?? "";
  const command = name.includes("/") && !name.startsWith("/") ? folder + name : name;
  const items = (list: unknown) => Array.isArray(list) ? list : [];
  const variables = items(exec["env"]).map(fieldsOf).map((each) =>
    [textField(each, "name") ?? "", textField(each, "value") ?? ""] as const
  );
  const spec = { interactive: false };
  const info = { kind: "ExecCredential", apiVersion: exec["apiVersion"], spec };
  const child = new Deno.Command(command, {
    args: items(exec["args"]).map(String),
    env: { ...Object.fromEntries(variables), KUBERNETES_EXEC_INFO: JSON.stringify(info) },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
  try {
    const process = child.spawn();
    const { success, stdout } = await withDeadline(process.output(), CREDENTIAL_PROGRAM_MS, () => {
      process.kill();
      throw new Error("it took too long");
    });
    if (!success) throw new Error("it failed");
    return new TextDecoder().decode(stdout);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`No credentials from "${command}": ${reason}`);
  }
}
