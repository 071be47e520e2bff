/** Values on a command line: text to value, and one line that says what was expected. */
import { parseDuration } from "../base/duration.ts";
import { usageFailure } from "./exit.ts";
import { TIMER_MS_MAX } from "../base/limits.ts";

/** A TCP port of a machine. */
export interface HostPort {
  /** An IP address, or a name. */
  readonly address: string;
  readonly port: number;
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const SIZE_UNITS_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Adds one more value of an option that may be given several times. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

/** How long to wait: `250ms`, `30s`, `1.5m`, `1m30s`, `1h` to whole milliseconds; `none` and `0s` are no limit, Infinity. */
export function parseTimeLimitMs(text: string): number {
  return isNone(text) ? Infinity : millisecondsOf(text) || Infinity;
}

/** Time that is given: as {@link parseTimeLimitMs}, but `none` and `0s` are no time at all. */
export function parseGraceMs(text: string): number {
  return isNone(text) ? 0 : millisecondsOf(text);
}

const DURATION_HINT = "Write it like 250ms, 30s, 5m or 1h.";

function isNone(text: string): boolean {
  return text === "none";
}

/** Zero only if it is written so. */
function millisecondsOf(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const durationMs = parts === null
    ? parseDuration(text) ?? NaN
    : Number(parts[1]) * DURATION_UNITS_MS[parts[2]];
  const isTooShort = durationMs > 0 && durationMs < 1;
  if (!(durationMs <= TIMER_MS_MAX) || isTooShort) {
    throw usageFailure(`"${text}" is not a duration`, DURATION_HINT);
  }
  return Math.round(durationMs);
}

/** `none` to no bound; `500`, `64KiB`, `10MiB`, `1GiB` to bytes. */
export function parseByteLimit(text: string): number {
  if (text === "none") return Infinity;
  const parts = /^(\d{1,9})(KiB|MiB|GiB)?$/.exec(text);
  if (parts === null) {
    throw usageFailure(`"${text}" is not a size`, "Write it like 64KiB, 10MiB or none.");
  }
  return Number(parts[1]) * SIZE_UNITS_BYTES[parts[2] ?? ""];
}

/** A whole number from `least` to `most`. */
export function parseWhole(text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    throw usageFailure(`"${text}" is not a whole number from ${least} to ${most}`);
  }
  return value;
}

/** A share from 0 to 1, like 0.01. */
export function parseShare(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(value <= 1)) {
    throw usageFailure(`"${text}" is not a share from 0 to 1`, "Write it like 0.01.");
  }
  return value;
}

/** `127.0.0.1:15001`, `[::1]:15001`, `localhost:80`, or `:15001` for every IPv4 address of this machine. */
export function parseHostPort(text: string): HostPort {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):(\d{1,5})$/.exec(text);
  const port = parts === null ? -1 : Number(parts[2]);
  if (parts === null || port > 65_535) {
    throw usageFailure(`"${text}" is not an address`, "Write it like 127.0.0.1:15001.");
  }
  const host = parts[1].replace(/^\[(.*)\]$/, "$1");
  if (host === "") return { address: "0.0.0.0", port };
  return { address: host.toLowerCase() === "localhost" ? "127.0.0.1" : host, port };
}

/** `127.0.0.1:80`, `[::1]:80`. */
export function formatHostPort({ address, port }: HostPort): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `Name: value` to its two halves. */
export function parseHeader(text: string): readonly [name: string, value: string] {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(0, colon)).trim();
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0]/.test(text)) {
    throw usageFailure(`"${text}" is not a header`, "Write it like 'Name: value'.");
  }
  return [name, text.slice(colon + 1).trim()];
}

/** Who sends a request, as `--from NAMESPACE[/SERVICEACCOUNT]`. */
export interface RequestSender {
  readonly namespace: string;
  /** `namespace/serviceaccount`. */
  readonly identity: string;
}

/** A sender that names no service account has the one that Kubernetes gives it: `default`. */
export function parseSender(text: string): RequestSender {
  const label = "[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?";
  const parts = new RegExp(`^(${label})(?:/(${label}))?$`).exec(text);
  if (parts === null) {
    throw usageFailure(`"${text}" is not a sender`, "Write it as NAMESPACE or NAMESPACE/ACCOUNT.");
  }
  return { namespace: parts[1], identity: `${parts[1]}/${parts[2] ?? "default"}` };
}

/** A request as a person writes it. */
export interface RequestLine {
  /** `TCP` for a whole connection. */
  readonly method: string;
  /** Absolute; `tcp://host:port` for a whole connection. */
  readonly url: string;
}

/** `METHOD URL`; a URL with a scheme may stand alone: `tcp://HOST:PORT` is a connection, another one is asked for by GET. */
export function parseAsked(text: string): RequestLine {
  const [first, second, ...rest] = text.trim().split(/\s+/);
  if (second !== undefined && rest.length === 0) return parseRequestLine(first, second);
  if (second === undefined && isWholeRequest(first)) {
    return parseRequestLine(isTcp(first) ? "TCP" : "GET", first);
  }
  const hint = second === undefined && /[.:/]/.test(first) ? `GET http://${first}` : "METHOD URL";
  throw usageFailure(`"${text}" is not a request`, `Write it as '${hint}' or 'tcp://HOST:PORT'.`);
}

/** Whether a word by itself says what is asked. */
export function isWholeRequest(word: string): boolean {
  return /^(?:https?|tcp):\/\//i.test(word);
}

/** A method is a token (RFC 9110 5.6.2); a URL may leave out `http://`, as with curl. */
export function parseRequestLine(method: string, url: string): RequestLine {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method)) {
    throw usageFailure(`"${method}" is not a method`, "Write a request as METHOD URL.");
  }
  if (method === "TCP" || isTcp(url)) return parseConnection(method, url);
  const absolute = url.includes("://") ? url : `http://${url}`;
  if (!/^https?:\/\/[^/?#\s\p{Cc}]+[^\s\p{Cc}]*$/iu.test(absolute)) {
    throw usageFailure(`"${url}" is not a URL`, "Write it like http://httpbin.httpbin:8080/test.");
  }
  if (method !== "CONNECT") return { method, url: absolute };
  const authority = /^http:\/\/([^/?#]+)\/?$/i.exec(absolute);
  if (authority === null) {
    throw usageFailure(`"${url}" is not what CONNECT takes`, "Write it like CONNECT web.app:9000.");
  }
  return { method, url: `http://${authority[1]}` };
}

function isTcp(url: string): boolean {
  return /^tcp:\/\//i.test(url);
}

function parseConnection(method: string, url: string): RequestLine {
  const place = /^(?:tcp:\/\/)?([^/?#@\s\p{Cc}]+:\d{1,5})\/?$/iu.exec(url)?.[1];
  if (method !== "TCP") {
    throw usageFailure(
      `A connection has no method: ${method}`,
      `Write it as tcp://${place ?? "HOST:PORT"} alone.`,
    );
  }
  if (place === undefined) {
    throw usageFailure(`"${url}" is not a connection`, "Write it like tcp://web.app:9000.");
  }
  return { method, url: `tcp://${place}` };
}

/** As it is written; `CONNECT` and a connection have no path. */
export function askedText({ method, url }: RequestLine): string {
  if (method === "TCP") return url;
  return method === "CONNECT" ? `CONNECT ${url.replace(/^http:\/\//, "")}` : `${method} ${url}`;
}

/** Whether a proxy sees no more than a connection to a port: it is asked for so, or by TLS. */
export function isConnection({ url }: RequestLine): boolean {
  return /^(?:https|tcp):/i.test(url);
}

/** Headers to go with a request. One that would not count is refused, so that nothing is passed over in silence. */
export function parseHeaders(
  texts: readonly string[],
  request: RequestLine,
): (readonly [name: string, value: string])[] {
  const headers = texts.map(parseHeader);
  if (request.method === "TCP" && headers.length > 0) {
    throw usageFailure("A connection has no headers", "Leave out -H, or ask for an http:// URL.");
  }
  const hasFixedHost = request.method === "CONNECT" || isConnection(request);
  if (hasFixedHost && headers.some(([name]) => name.toLowerCase() === "host")) {
    throw usageFailure(
      `A header Host has no say in where ${askedText(request)} goes`,
      "Leave it out: the URL says where.",
    );
  }
  return headers;
}
