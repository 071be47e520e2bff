/**
 * A kubeconfig to a way to the API server: contexts, client certificates, tokens, and programs that get credentials, as kubectl reads
 * them. Of several files the first that names something counts.
 */
import { parse } from "yaml";
import { readText } from "../../base/read_text.ts";
import type { AccessSource, ClusterAccess } from "./access.ts";
import { programCredential } from "./credential_program.ts";
import { fieldsOf, type JsonFields, textField } from "./fields.ts";

interface KubeconfigOptions {
  /** In the order of `KUBECONFIG`. */
  readonly files: readonly string[];
  /** Undefined: the current one. */
  readonly context?: string | undefined;
  /** Names of entries, in place of those that the context names. */
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
}

/** An entry by its name, with the folder that its paths start from. */
interface Entry {
  readonly fields: JsonFields;
  readonly folder: string;
}

export function kubeconfigAccess(
  { files, context, ...chosenNames }: KubeconfigOptions,
): AccessSource {
  return {
    async read() {
      const documents = await Promise.all(files.map(readDocument));
      const name = context ??
        documents.map(({ fields }) => textField(fields, "current-context")).find(Boolean);
      const where = files.join(", ");
      if (!name) throw new Error(`No context is chosen in ${where}`);
      const chosen = entryOf(documents, "contexts", "context", name);
      if (chosen === undefined) throw new Error(`There is no context "${name}" in ${where}`);
      const clusterName = chosenNames.cluster ?? textField(chosen.fields, "cluster") ?? "";
      const cluster = entryOf(documents, "clusters", "cluster", clusterName);
      if (cluster === undefined) {
        throw new Error(`There is no cluster "${clusterName}" in ${where}`);
      }
      const userName = chosenNames.user ?? textField(chosen.fields, "user") ?? "";
      const user = entryOf(documents, "users", "user", userName);
      if (user === undefined && chosenNames.user !== undefined) {
        throw new Error(`There is no user "${userName}" in ${where}`);
      }
      return {
        ...await clusterOf(cluster, name),
        ...await credentialsOf(user),
        ...impersonationOf(user),
        namespace: textField(chosen.fields, "namespace") ?? "default",
      };
    },
  };
}

async function readDocument(file: string): Promise<Entry> {
  const text = await readText(file);
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new Error(`Cannot read "${file}": ${reason}`);
  }
  return { fields: fieldsOf(value), folder: file.replace(/[^/]*$/, "") || "./" };
}

function entryOf(
  documents: readonly Entry[],
  list: string,
  key: string,
  name: string,
): Entry | undefined {
  for (const { fields, folder } of documents) {
    const items = fields[list];
    const found = Array.isArray(items)
      ? items.map(fieldsOf).find((item) => item["name"] === name)
      : undefined;
    if (found !== undefined) return { fields: fieldsOf(found[key]), folder };
  }
  return undefined;
}

async function clusterOf(
  { fields, folder }: Entry,
  context: string,
): Promise<Pick<ClusterAccess, "server" | "authorities" | "proxy">> {
  const server = textField(fields, "server");
  if (server === undefined) throw new Error(`The cluster of context "${context}" names no server`);
  for (const field of ["insecure-skip-tls-verify", "tls-server-name"]) {
    if (!fields[field]) continue;
    throw new Error(
      `"${field}" of context "${context}" is not supported: give the cluster's certificate-authority`,
    );
  }
  const authority = await pemAt(fields, "certificate-authority", folder);
  const proxy = textField(fields, "proxy-url");
  return {
    server: server.replace(/\/+$/, ""),
    authorities: authority === undefined ? [] : [authority],
    ...(proxy === undefined ? {} : { proxy }),
  };
}

async function credentialsOf(
  user: Entry | undefined,
): Promise<Pick<ClusterAccess, "certificate" | "token">> {
  if (user === undefined) return {};
  const { fields, folder } = user;
  const cert = await pemAt(fields, "client-certificate", folder);
  const key = await pemAt(fields, "client-key", folder);
  const certificate = cert === undefined || key === undefined ? {} : { certificate: { cert, key } };
  const tokenFile = textField(fields, "tokenFile");
  const token = tokenFile === undefined
    ? textField(fields, "token")
    : (await readText(resolve(folder, tokenFile))).trim();
  if (token !== undefined) return { ...certificate, token };
  if (fields["exec"] === undefined) return certificate;
  return { ...certificate, ...await programCredential(fieldsOf(fields["exec"]), folder) };
}

function impersonationOf(user: Entry | undefined): Pick<ClusterAccess, "actsAs"> {
  const as = user && textField(user.fields, "as");
  if (user === undefined || as === undefined) return {};
  const { fields } = user;
  const uid = textField(fields, "as-uid");
  const extra = Object.entries(fieldsOf(fields["as-user-extra"]))
    .map(([key, values]) => [key, textsIn(values)] as const);
  return {
    actsAs: {
      ...{ user: as, groups: textsIn(fields["as-groups"]) },
      ...(uid === undefined ? {} : { uid }),
      ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
    },
  };
}

function textsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

/** A file, or the same in base64 in place of it, which counts first. */
async function pemAt(
  fields: JsonFields,
  name: string,
  folder: string,
): Promise<string | undefined> {
  const data = textField(fields, `${name}-data`);
  if (data !== undefined) {
    try {
      return new TextDecoder().decode(Uint8Array.fromBase64(data));
    } catch {
      throw new Error(`"${name}-data" of the kubeconfig is not base64`);
    }
  }
  const file = textField(fields, name);
  return file === undefined ? undefined : await readText(resolve(folder, file));
}

function resolve(folder: string, path: string): string {
  return path.startsWith("/") ? path : folder + path;
}
