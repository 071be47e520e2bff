/**
 * What HTTP/1.1 messages mean, decided over whole texts with regular expressions, one character a byte: the opinion
 * that the machines are held against. It shares nothing with them but the rules, RFC 9112 and Weft's own stricter ones
 * (`tests/protocol/http1/` says why each is there).
 */

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const VALUE = "[\\t\\x20-\\x7e\\x80-\\xff]*";
const HEADER_LINES = `((?:${TOKEN}:${VALUE}\\r\\n)*)`;
const REQUEST = new RegExp(
  `^((?:\\r\\n)*)(${TOKEN}) ([-A-Za-z0-9._~%!$&'()*+,;=:@/?[\\]]+) HTTP/1\\.(\\d)\\r\\n${HEADER_LINES}\\r\\n`,
);
const RESPONSE = new RegExp(
  `^HTTP/1\\.(\\d) ([1-9]\\d\\d)(?: ${VALUE})?\\r\\n${HEADER_LINES}\\r\\n`,
);
const AUTHORITY = /^[A-Za-z0-9\-._~!$&'()*+,;=%:[\]]*$/;

interface Header {
  readonly name: string;
  readonly value: string;
}

function headersIn(lines: string): Header[] {
  return lines.split("\r\n").slice(0, -1).map((line) => {
    const [, name, value] = /^([^:]*):[\t ]*([^]*?)[\t ]*$/.exec(line) ?? [];
    return { name: name.toLowerCase(), value };
  });
}

/** The values of all headers of a name. */
function valuesOf(headers: readonly Header[], name: string): string[] {
  return headers.filter((header) => header.name === name).map(({ value }) => value);
}

/** The elements of a list that all headers of a name make up, empty ones too. */
function listOf(headers: readonly Header[], name: string): string[] {
  return valuesOf(headers, name).flatMap((value) => value.split(","))
    .map((element) => element.replace(/^[\t ]+|[\t ]+$/g, ""));
}

function optionsOf(headers: readonly Header[]): string[] {
  return listOf(headers, "connection").map((option) => option.toLowerCase());
}

/** `chunked`, a length in decimal, or `none`; null where it could be read two ways, undefined where it is not given. */
function framingOf(headers: readonly Header[], minor: number): string | null | undefined {
  const lengths = listOf(headers, "content-length");
  const codings = listOf(headers, "transfer-encoding");
  if (!lengths.every((length) => /^\d+$/.test(length))) return null;
  const numbers = new Set(lengths.map((length) => BigInt(length)));
  if (numbers.size > 1 || [...numbers].some((length) => length > 2n ** 53n - 1n)) return null;
  if (codings.length > 0) {
    const isGood = codings.length === 1 && /^chunked$/i.test(codings[0]) && lengths.length === 0;
    return isGood && minor > 0 ? "chunked" : null;
  }
  if (numbers.size === 0) return undefined;
  const length = `${[...numbers][0]}`;
  return length === "0" ? "none" : length;
}

function isPersistent(headers: readonly Header[], minor: number): string {
  const options = optionsOf(headers);
  if (options.includes("close")) return "no";
  return minor > 0 || options.includes("keep-alive") ? "yes" : "no";
}

export type Facts = Readonly<Record<string, string>>;

/** The facts of a whole request head; null where there is none, or it is to be refused. */
export function readRequest(text: string): Facts | null {
  const match = REQUEST.exec(text);
  if (match === null) return null;
  const [whole, , method, target, minorText, lines] = match;
  const minor = Number(minorText);
  const headers = headersIn(lines);
  const hosts = valuesOf(headers, "host");
  if (hosts.length > 1 || (hosts.length === 0 && minor > 0)) return null;
  if (!hosts.every((host) => AUTHORITY.test(host))) return null;
  if (!listOf(headers, "expect").every((value) => /^100-continue$/i.test(value))) return null;
  const forwards = /^(OPTIONS|TRACE)$/.test(method) ? valuesOf(headers, "max-forwards") : [];
  if (forwards.length > 1 || !forwards.every((value) => /^\d+$/.test(value))) return null;
  const framing = framingOf(headers, minor);
  if (framing === null) return null;
  const form = readTarget(method, target, hosts[0] ?? "");
  if (form === null) return null;
  const body = framing ?? "none";
  if (method === "CONNECT" && body !== "none") return null;
  const upgrades = valuesOf(headers, "upgrade");
  const isUpgrade = minor > 0 && optionsOf(headers).includes("upgrade") && upgrades.length === 1 &&
    upgrades[0] !== "" && !/,|^h2c$/i.test(upgrades[0]);
  return {
    method,
    ...form,
    body,
    persistent: isPersistent(headers, minor),
    upgrade: isUpgrade ? "yes" : "no",
    headers: `${headers.length}`,
    end: `${whole.length}`,
  };
}

function readTarget(
  method: string,
  target: string,
  host: string,
): { path: string; authority: string } | null {
  if (method === "CONNECT") {
    const isGood = /^.+:\d+$/.test(target) && AUTHORITY.test(target);
    return isGood ? { path: "", authority: target } : null;
  }
  if (target === "*") return method === "OPTIONS" ? { path: "*", authority: host } : null;
  if (target.startsWith("/")) return { path: target.split("?")[0], authority: host };
  const [, authority, path] = /^https?:\/\/([^/?]+)([^?]*)/i.exec(target) ?? [];
  if (authority === undefined || !AUTHORITY.test(authority)) return null;
  if (path !== "") return { path, authority };
  // `OPTIONS http://host` means `OPTIONS *`, which has no path.
  return { path: method === "OPTIONS" && !target.includes("?") ? "" : "/", authority };
}

/** The facts of a whole response head to a request that was not HEAD; null where there is none. */
export function readResponse(text: string): Facts | null {
  const match = RESPONSE.exec(text);
  if (match === null) return null;
  const [whole, minorText, status, lines] = match;
  const minor = Number(minorText);
  const headers = headersIn(lines);
  const isBodiless = status < "200" || status === "204" || status === "304";
  const isUnframed = status < "200" || status === "204";
  const framing = isUnframed ? undefined : framingOf(headers, minor);
  if (framing === null) return null;
  return {
    status,
    body: isBodiless ? "none" : framing ?? "until close",
    persistent: isPersistent(headers, minor),
    end: `${whole.length}`,
  };
}

const QUOTED = String.raw`"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"`;
const EXTENSION = String.raw`[\t ]*;[\t ]*${TOKEN}(?:[\t ]*=[\t ]*(?:${TOKEN}|${QUOTED}))?`;
const BARRED = new RegExp(
  "^(content-(length|type|encoding|range)|transfer-encoding|trailer|te|(proxy-)?connection|keep-alive|upgrade|" +
    "http2-settings|host|max-forwards|via|forwarded|x-forwarded-(for|host|proto|port)|x-real-ip|(proxy-)?auth" +
    "orization|(www|proxy)-authenticate|(set-)?cookie|expect|range|cache-control|pragma|if-(none-)?match|if-(un)?" +
    "modified-since|if-range|age|date|expires|location|retry-after|vary|warning)$",
  "i",
);

/** How a chunked body ends; `isLax` takes a bare LF for a line's end, as a careless parser would. */
export function readChunked(text: string, isLax = false): Facts {
  const lineEnd = isLax ? "\\r?\\n" : "\\r\\n";
  const sizeLine = new RegExp(`([0-9A-Fa-f]{1,13})((?:${EXTENSION})*)${lineEnd}`, "y");
  const afterData = new RegExp(lineEnd, "y");
  const trailer = new RegExp(`((?:${TOKEN}:${VALUE}${lineEnd})*)${lineEnd}`, "y");
  let [data, passed, at] = ["", "", 0];
  for (;;) {
    sizeLine.lastIndex = at;
    const line = sizeLine.exec(text);
    // Without the semicolon, or the blank, that it begins with.
    if (line === null || line[2].length > 257) return { ends: "not" };
    at = sizeLine.lastIndex;
    passed += `${line[1]}\r\n`;
    const size = parseInt(line[1], 16);
    if (size === 0) break;
    if (at + size > text.length) return { ends: "not" };
    data += text.slice(at, at + size);
    passed += `${text.slice(at, at + size)}\r\n`;
    afterData.lastIndex = at + size;
    if (afterData.exec(text) === null) return { ends: "not" };
    at = afterData.lastIndex;
  }
  trailer.lastIndex = at;
  const found = trailer.exec(text);
  if (found === null) return { ends: "not" };
  const lines = found[1].split(/(?<=\n)/).filter((line) => !BARRED.test(line.split(":")[0]));
  const trailers = lines.join("");
  passed += `${trailers}\r\n`;
  return { ends: "done", end: `${trailer.lastIndex}`, data, trailers, passed };
}
