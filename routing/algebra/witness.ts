/** Witness: a request that shows what was found of rules, as a person and `weft explain` take it. */

export interface Witness {
  readonly method: string;
  /** Where it goes, `host[:port]`. */
  readonly authority: string;
  /** Empty for CONNECT. */
  readonly path: string;
  /** What follows a `?` after the path; empty: there is none. */
  readonly query: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Its Host names another Service or none: only a connection to the Service's address brings it there. */
  readonly isForeignHost: boolean;
  /** False: it holds bytes that are no text, in whose place U+FFFD stands. */
  readonly isExact: boolean;
}

interface NamedText {
  readonly name: string;
  readonly value: Uint8Array;
}

interface WitnessParts {
  readonly method: string;
  readonly path: Uint8Array;
  readonly authority: string;
  readonly headers: readonly NamedText[];
  readonly queries: readonly NamedText[];
  readonly isForeignHost: boolean;
}

export function witnessOf(
  { method, path, authority, headers, queries, isForeignHost }: WitnessParts,
): Witness {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const texts = headers.map(({ name, value }) => [name, decoder.decode(value)] as const);
  const host = texts.find(([name]) => name === "host")?.[1];
  return {
    method,
    authority: host ?? authority,
    path: decoder.decode(path),
    query: queries.map(({ name, value }) => `${name}=${decoder.decode(value)}`).join("&"),
    headers: texts.filter(([name]) => name !== "host"),
    isForeignHost,
    isExact: !texts.some(([, value]) => value.includes("\uFFFD")),
  };
}

/** Path and query. */
export function witnessTarget({ path, query }: Witness): string {
  return query === "" ? path : `${path}?${query}`;
}

/** `http://web.app/a`. */
export function witnessUrl(witness: Witness): string {
  const { method, authority } = witness;
  return method === "CONNECT" ? authority : `http://${authority}${witnessTarget(witness)}`;
}

/** `GET /a with user-agent: x`; with the host where it is not the usual one. */
export function witnessText(witness: Witness): string {
  const { method, authority, headers, isForeignHost } = witness;
  const target = method === "CONNECT" ? authority : witnessTarget(witness);
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
