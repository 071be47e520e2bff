/**
 * Inputs for the HTTP/1.1 machines: messages put together from parts that parsers are known to disagree about, then
 * damaged byte by byte. Everything follows from the random numbers that are passed in.
 */
import type { Random } from "../../base/random.ts";

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)];
}

function maybe(random: Random, oneIn: number): boolean {
  return random.below(oneIn) === 0;
}

const METHODS = [
  "GET",
  "GET",
  "POST",
  "POST",
  "HEAD",
  "PUT",
  "OPTIONS",
  "CONNECT",
  "get",
  "M-SEARCH",
  "G\0T",
  "",
];
const TARGETS = [
  "/",
  "/a/b?c=d",
  "/%00/../x",
  "//",
  "http://a",
  "http://a/",
  "http://b:80/x?y",
  "http://b?y",
  "HTTPS://b/x",
  "http://u@b/",
  "http:///x",
  "*",
  "a:80",
  "a:",
  "[::1]:443",
  "a",
  "?x",
  "/a b",
  "/#x",
  "/{x}",
  "/?a[]=b|c",
  "/\xe9",
];
const VERSIONS = [
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/1.10",
  "http/1.1",
  "HTTP/x.1",
];
const LINE_ENDS = [
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\r\n",
  "\n",
  "\r",
  "\r\r\n",
  "\r\n ",
];

/** Names, each with values that mean something to a proxy and values that should not. */
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["Host", ["a", "a", "b:80", "", "a b", "a@b", "[::1]"]],
  ["Content-Length", [
    "0",
    "5",
    "5",
    "05",
    "6",
    "+5",
    "-1",
    "0x5",
    "5, 5",
    "5, 6",
    "",
    "9007199254740991",
    "9007199254740992",
    "5 ",
  ]],
  ["Transfer-Encoding", [
    "chunked",
    "chunked",
    "Chunked ",
    "\x0bchunked",
    "chunked, chunked",
    "identity",
    "gzip",
    "gzip, chunked",
    "",
    "xchunked",
  ]],
  ["Connection", [
    "close",
    "keep-alive",
    "Upgrade",
    "x, close",
    "te",
    "content-length, x",
    "transfer-encoding",
    "host,x",
    ",",
    "",
  ]],
  ["Upgrade", ["websocket", "h2c", "h2c, websocket", ""]],
  ["Expect", ["100-continue", "100-Continue", "x"]],
  ["TE", ["trailers", "gzip", "trailers, x"]],
  ["Max-Forwards", ["0", "1", "10", "x"]],
  ["X-Weft-Hops", ["1", "4", "x"]],
  ["Trailer", ["x"]],
  ["X", ["y", "", "a\tb", "caf\xc3\xa9", "a\0b", "\x7f", "x".repeat(300)]],
  ["Keep-Alive", ["timeout=5"]],
  ["Proxy-Connection", ["keep-alive"]],
  ["Proxy-Authorization", ["Basic eDp5"]],
  ["X-Forwarded-For", ["192.0.2.1", "", "a, b"]],
  ["X-Forwarded-Proto", ["https"]],
];

function headerLine(random: Random): string {
  const [name, values] = pick(random, HEADERS);
  const written = maybe(random, 4)
    ? name.toLowerCase()
    : maybe(random, 8)
    ? name.toUpperCase()
    : name;
  const space = pick(random, ["", "", "", "", "", "", "", "", "", "", " ", "\t"]);
  return `${written}${space}:${pick(random, [" ", " ", "", "\t "])}${pick(random, values)}${
    pick(random, ["", "", "", " ", " \t"])
  }`;
}

function headerLines(random: Random, isValid: boolean): string {
  let text = "";
  for (let i = random.below(6); i > 0; i--) {
    text += headerLine(random) + (isValid ? "\r\n" : pick(random, LINE_ENDS));
  }
  return text;
}

export function randomRequest(random: Random): string {
  // Half of them take only line ends that are right, else hardly a head would be whole.
  const isValid = maybe(random, 2);
  const end = () => isValid ? "\r\n" : pick(random, LINE_ENDS);
  const host = maybe(random, 6) ? "" : `Host: a${end()}`;
  const line = isValid && !maybe(random, 4)
    ? `${pick(random, METHODS.slice(0, 8))} ${pick(random, TARGETS.slice(0, 8))} HTTP/1.${
      random.below(2)
    }`
    : `${pick(random, METHODS)} ${pick(random, TARGETS)} ${pick(random, VERSIONS)}`;
  const before = maybe(random, 10) ? pick(random, ["\r\n", "\r\n\r\n", "\n", " "]) : "";
  return `${before}${line}${end()}${host}${headerLines(random, isValid)}${end()}${
    pick(random, ["", "hello", "0\r\n\r\n"])
  }`;
}

const STATUSES = [
  "200 OK",
  "200 OK",
  "200",
  "200 ",
  "404 Not Found",
  "204 No Content",
  "304 x",
  "100 Continue",
  "101 x",
  "99 x",
  "2000 x",
  "2x0 x",
];

export function randomResponse(random: Random): string {
  const isValid = maybe(random, 2);
  const end = () => isValid ? "\r\n" : pick(random, LINE_ENDS);
  const version = isValid ? `HTTP/1.${random.below(2)}` : pick(random, VERSIONS);
  return `${version} ${pick(random, STATUSES)}${end()}${headerLines(random, isValid)}${end()}${
    pick(random, ["", "hello"])
  }`;
}

export function chunkedText(random: Random): string {
  let text = "";
  const isValid = !maybe(random, 3);
  const end = () => isValid ? "\r\n" : pick(random, LINE_ENDS);
  for (let i = random.below(4); i > 0; i--) {
    const length = random.below(maybe(random, 5) ? 300 : 20) + 1;
    const size = pick(random, [
      length.toString(16),
      length.toString(16).toUpperCase(),
      `00${length.toString(16)}`,
    ]);
    const extension = maybe(random, 5)
      ? pick(random, [
        ...[";a", ";a=b;c", " ;a", ';a="b"', ' ; a = "b;\\"c" ;d', "; a=b\t;c = d"],
        ...(isValid ? [] : [";", ";a=", ";\x7f", `;${"x".repeat(300)}`]),
      ])
      : "";
    const claimed = isValid
      ? size
      : pick(random, [size, size, size, `+${size}`, `0x${size}`, "", "fffffffffffffff"]);
    text += `${claimed}${extension}${end()}`;
    for (let j = 0; j < length; j++) text += pick(random, ["x", "\r", "\n", "0", "\0", "\xff"]);
    text += end();
  }
  if (maybe(random, 10)) return text;
  text += `${pick(random, ["0", "0", "00", "0;x"])}${end()}`;
  for (let i = random.below(3); i > 0; i--) text += `${headerLine(random)}${end()}`;
  return `${text}${end()}${pick(random, ["", "GET /"])}`;
}

const INTERESTING = "\r\n\0 \t:;,0159afF+-x\x0b\x7f\x80\xff/*?#@[]";

/** Changes, takes out, puts in and repeats a few characters; often none. */
export function damage(random: Random, text: string): string {
  let damaged = text;
  for (let i = random.below(3); i > 0 && !maybe(random, 2); i--) {
    const at = random.below(damaged.length + 1);
    const mark = INTERESTING[random.below(INTERESTING.length)];
    switch (random.below(5)) {
      case 0:
        damaged = damaged.slice(0, at) + mark + damaged.slice(at);
        break;
      case 1:
        damaged = damaged.slice(0, at) + damaged.slice(at + 1);
        break;
      case 2:
        damaged = damaged.slice(0, at) + mark + damaged.slice(at + 1);
        break;
      case 3:
        damaged = damaged.slice(0, at);
        break;
      case 4:
        damaged = damaged.slice(0, at) + damaged.slice(Math.max(0, at - random.below(20)));
        break;
    }
  }
  return damaged;
}
