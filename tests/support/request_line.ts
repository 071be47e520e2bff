/**
 * The one-line notation for requests in golden cases and SMI cases:
 *
 *     4 GET http://httpbin.httpbin:8080/test [User-Agent: curl/8] [from=client/sa-1]
 *
 * Count (default 1), method, absolute URL, then headers and the client in brackets. The client is a namespace,
 * or namespace/serviceaccount.
 */

export interface CaseRequest {
  readonly text: string;
  readonly count: number;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Namespace of the client, and its service account or empty. */
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** @throws {SyntaxError} where the line is not in the notation */
export function parseCaseRequest(text: string, defaultNamespace: string): CaseRequest {
  const match = /^(?:(\d+)\s+)?(\S+)\s+(\S+)((?:\s+\[[^\]]*\])*)$/.exec(text.trim());
  if (match === null) throw new SyntaxError(`Not a request line: "${text}"`);
  const headers: [string, string][] = [];
  let client = defaultNamespace;
  for (const [, content] of match[4].matchAll(/\[([^\]]*)\]/g)) {
    const from = /^from=(\S+)$/.exec(content);
    const colon = content.indexOf(":", 1);
    if (from !== null) client = from[1];
    else if (colon > 0) headers.push([content.slice(0, colon), content.slice(colon + 1).trim()]);
    else throw new SyntaxError(`Neither a header nor from=: "[${content}]"`);
  }
  const [namespace, serviceAccount = ""] = client.split("/");
  return {
    text: text.trim(),
    count: Number(match[1] ?? 1),
    method: match[2],
    url: match[3],
    headers,
    namespace,
    serviceAccount,
  };
}
