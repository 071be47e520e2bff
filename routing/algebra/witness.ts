/** Witness: a request that shows what was found of rules, as a person and `weft explain` take it. */

export interface Witness {
  readonly method: string;
  /** Where it goes, `host[:port]`. */
  readonly authority: string;
  /** Without a query; empty for CONNECT. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Its Host names another Service or none: only a connection to the Service's address brings it there. */
  readonly isForeignHost: boolean;
  /** False: it holds bytes that are no text, in whose place U+FFFD stands. */
  readonly isExact: boolean;
}

interface WitnessParts {
  readonly method: string;
  readonly path: Uint8Array;
  readonly authority: string;
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array }[];
  readonly isForeignHost: boolean;
}

export function witnessOf(
  { method, path, authority, headers, isForeignHost }: WitnessParts,
): Witness {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const texts = headers.map(({ name, value }) => [name, decoder.decode(value)] as const);
  const host = texts.find(([name]) => name === "host")?.[1];
  return {
    method,
    authority: host ?? authority,
    path: decoder.decode(path),
    headers: texts.filter(([name]) => name !== "host"),
    isForeignHost,
    isExact: !texts.some(([, value]) => value.includes("\uFFFD")),
  };
}

/** `http://web.app/a`. */
export function witnessUrl({ method, authority, path }: Witness): string {
  return method === "CONNECT" ? authority : `http://${authority}${path}`;
}

/** `GET /a with user-agent: x`; with the host where it is not the usual one. */
export function witnessText({ method, path, authority, headers, isForeignHost }: Witness): string {
  const target = method === "CONNECT" ? authority : path;
  const told = [
    ...(isForeignHost ? [`host: ${authority}`] : []),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  return `${method} ${target}${told.length === 0 ? "" : ` with ${told.join(", ")}`}`;
}

/** What `weft explain` is given to explain it. */
export function witnessArguments(witness: Witness): readonly string[] {
  const headers = witness.headers.flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  return [witness.method, witnessUrl(witness), ...headers];
}
