/**
 * Requests that recipients read differently: written by hand, and put together from a small grammar. Each is followed
 * by `SUFFIX`, which is a request of its own, or part of a body, according to how the case is read.
 */

export interface SmugglingCase {
  readonly name: string;
  /** One character a byte. */
  readonly text: string;
}

/** A server that takes this for a request answers it and closes. */
export const SUFFIX = "GET /after HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";

const CHUNKED_BODY = "5\r\nhello\r\n0\r\n\r\n";

function post(headers: string, body: string, version = "HTTP/1.1"): string {
  return `POST /case ${version}\r\nHost: app\r\n${headers}\r\n${body}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\r": "\\r",
  "\n": "\\n",
  "\t": "\\t",
  "\0": "\\0",
};

/** Text on one line, in ASCII. */
export function show(text: string): string {
  return Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code >= 32 && code < 127) return character;
    return ESCAPES[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
  }).join("");
}

const LENGTHS = [
  "5",
  "05",
  "+5",
  "-5",
  "0x5",
  "5.0",
  "5 5",
  "5,5",
  "5, 5",
  "5, 6",
  "5,",
  "5\r\nContent-Length: 5, 5",
  "5;",
  '"5"',
  "",
  "5\t",
  "\x0b5",
  "5\0",
  "\xa05",
  "5e0",
  "1_0",
  "18446744073709551621",
  "9223372036854775808",
  "4294967301",
];

const CODINGS = [
  "chunked",
  "Chunked",
  " chunked ",
  "chunked, chunked",
  "chunked,",
  ",chunked",
  "identity",
  "identity, chunked",
  "gzip, chunked",
  "gzip\r\nTransfer-Encoding: chunked",
  "chunked\r\nTransfer-Encoding: gzip",
  "gzip,, chunked",
  "chunked, gzip",
  "xchunked",
  "chunkedx",
  "chunked;q=1",
  '"chunked"',
  "\x0bchunked",
  "chunked\x0b",
  "chunked\0",
  "\0chunked",
  "chunked\x7f",
  "\xa0chunked",
  "chunk ed",
  "",
  "cow",
  "chunked\r",
  "x\r\nTransfer-Encoding: chunked",
  "chunked\r\nTransfer-Encoding: x",
  "chunked\r\nTransfer-Encoding: chunked",
  "\r\n chunked",
  "x\r\n chunked",
];

/** Spellings of a name that only some take for `Transfer-Encoding`. */
const CODING_NAMES = [
  "Transfer-Encoding ",
  "Transfer-Encoding\t",
  " Transfer-Encoding",
  "\tTransfer-Encoding",
  "Transfer_Encoding",
  "Transfer-Encoding\0",
  "Transfer-Encod\x0bing",
  "Transfer\r-Encoding",
  "X: y\nTransfer-Encoding",
  "X: y\rTransfer-Encoding",
  "X: y\r\n Transfer-Encoding",
  "\x00Transfer-Encoding",
  "Transfer-Encoding\xa0",
  "TRANSFER-ENCODING",
  "Transfer Encoding",
];

const CHUNK_SIZES = [
  "5",
  "05",
  "0000000005",
  "+5",
  "-5",
  "0x5",
  "5 ",
  " 5",
  "5\t",
  "5;",
  "5;a",
  "5;a=b",
  '5;a="b"',
  '5;a="b;c"',
  '5;a="b\\"c"',
  '5;a="b',
  '5;a="\r\n"',
  "5;a=",
  "5;;a",
  "5 ;a",
  "5 ; a = b",
  "5;a ",
  "5\0",
  "5g",
  "",
  "5\x0b",
  "100000005",
  "10000000000000005",
  "fffffffffffffffb",
  "5;a\n",
  "5;\r",
  "\r\n5",
  "5,5",
  "5.0",
  "5;a\x7f",
];

const CHUNKS = [
  "5\nhello\n0\n\n",
  "5\r\nhello\n0\r\n\r\n",
  "5\nhello\r\n0\r\n\r\n",
  "5\r\nhello0\r\n\r\n",
  "5\r\nhello\r0\r\n\r\n",
  "5\r\nhell\r\n0\r\n\r\n",
  "5\r\nhello!\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\n\n",
  "5\r\nhello\r\n0\r\n\n",
  "5\rhello\r\n0\r\n\r\n",
  "5\r\nhello\r\n\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\r\nX: y\r\n\r\n",
  "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
  "5\r\nhello\r\n0\r\n X: y\r\n\r\n",
  "5\r\nhello\r\n0\r\nX\r\n\r\n",
  "5\r\nhello\r\n0\r\nX: y\n\r\n",
  "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
  "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
  "5\r\nhello\r\n0\r\nHost: evil\r\n\r\n",
  "5\r\nhello\r\n00\r\n\r\n",
  "0\r\nX: \0\r\n\r\n",
  "0;\n\r\n\r\n",
];

const START_LINES = [
  "GET /case HTTP/1.1",
  "GET  /case HTTP/1.1",
  "GET /case  HTTP/1.1",
  "GET /case HTTP/1.1 ",
  " GET /case HTTP/1.1",
  "GET\t/case\tHTTP/1.1",
  "GET /case HTTP/1.1\r",
  "GET /case",
  "GET /case HTTP/1.2",
  "GET /case HTTP/1.10",
  "GET /case HTTP/01.1",
  "GET /case HTTP/1",
  "GET /case HTTP/2.0",
  "GET /case HTTP/0.9",
  "GET /case http/1.1",
  "GET /case HTTP/1.1 HTTP/1.1",
  "GET /ca se HTTP/1.1",
  "GET /case#x HTTP/1.1",
  "GET /case\0 HTTP/1.1",
  "GET /case\xff HTTP/1.1",
  ...Array.from('"<>\\^`{|}', (mark) => `GET /case?${mark} HTTP/1.1`),
  "G(T /case HTTP/1.1",
  "GET case HTTP/1.1",
  "GET * HTTP/1.1",
  "GET http://app/case HTTP/1.1",
  "GET http://app@evil/case HTTP/1.1",
  "GET http:///case HTTP/1.1",
  "GET ftp://app/case HTTP/1.1",
  "GET /case\x0b HTTP/1.1",
  "\r\nGET /case HTTP/1.1",
  "\nGET /case HTTP/1.1",
  "\0GET /case HTTP/1.1",
  "CONNECT /case HTTP/1.1",
  "CONNECT app HTTP/1.1",
  "GET /case HTTP/1.1\n",
];

const HEADER_LINES = [
  "X: y\n",
  "X: y\r",
  "X: y\r\r\n",
  "X\r\n",
  ": y\r\n",
  " X: y\r\n",
  "X : y\r\n",
  "X\t: y\r\n",
  "X: y\r\n z\r\n",
  "X: y\r\n\tz\r\n",
  "X: \0\r\n",
  "X: \x01\r\n",
  "X: \x7f\r\n",
  "X: \xff\r\n",
  "X\0: y\r\n",
  "X\xff: y\r\n",
  "X(: y\r\n",
  "Host: app\r\n",
  "Host: evil\r\n",
  "host : app\r\n",
  "\r\r\n",
  "\n",
  "X: y\n\n",
  "X: y\r\n\n",
  "Connection: close, x\r\n",
  "Connection: Content-Length\r\n",
  "Connection: Transfer-Encoding\r\n",
  "Connection: Host\r\n",
  "Expect: 100-continue, x\r\n",
  "Expect: 100-continue\r\nExpect: x\r\n",
  "TE: trailers\r\n",
  "Max-Forwards: 0\r\n",
  "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
];

const HOSTS = [
  "",
  "Host:\r\n",
  "Host: \r\n",
  "Host: app:80\r\n",
  "Host: app/\r\n",
  "Host: app@evil\r\n",
  "Host: a b\r\n",
  "Host: app\\evil\r\n",
  "Host: app#x\r\n",
  "Host: app?x\r\n",
  "Host: app\0\r\n",
  "Host: \xff\r\n",
  "Host: app:80:80\r\n",
  "Host: app\r\n Host: evil\r\n",
  "Host: app, evil\r\n",
  "Host: app:x\r\n",
  "Host\r\n",
];

const BY_HAND: readonly SmugglingCase[] = [
  {
    name: "Content-Length before Transfer-Encoding",
    text: post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  },
  {
    name: "Transfer-Encoding before Content-Length",
    text: post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
  },
  {
    name: "both, the length covers the chunks",
    text: post("Content-Length: 15\r\nTransfer-Encoding: chunked\r\n", CHUNKED_BODY),
  },
  {
    name: "both, the coding is unknown",
    text: post("Content-Length: 5\r\nTransfer-Encoding: cow\r\n", "hello"),
  },
  {
    name: "both, the length is malformed",
    text: post("Content-Length: x\r\nTransfer-Encoding: chunked\r\n", CHUNKED_BODY),
  },
  { name: "two lengths, equal", text: post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello") },
  {
    name: "two lengths, different",
    text: post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
  },
  {
    name: "two lengths, zero first",
    text: post("Content-Length: 0\r\nContent-Length: 5\r\n", "hello"),
  },
  {
    name: "two lengths, equal in value only",
    text: post("Content-Length: 5\r\nContent-Length: 05\r\n", "hello"),
  },
  {
    name: "HTTP/1.0 and chunked",
    text: post("Transfer-Encoding: chunked\r\n", CHUNKED_BODY, "HTTP/1.0"),
  },
  {
    name: "HTTP/1.0, chunked and a length",
    text: post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNKED_BODY, "HTTP/1.0"),
  },
  {
    name: "HTTP/1.0, kept open",
    text: post("Connection: keep-alive\r\nContent-Length: 5\r\n", "hello", "HTTP/1.0"),
  },
  {
    name: "GET with a length",
    text: "GET /case HTTP/1.1\r\nHost: app\r\nContent-Length: 5\r\n\r\nhello",
  },
  {
    name: "GET with chunks",
    text: `GET /case HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED_BODY}`,
  },
  { name: "POST without a length", text: post("", "") },
  { name: "POST without a length, with bytes", text: post("", "hello") },
  { name: "a request in the body", text: post(`Content-Length: ${SUFFIX.length}\r\n`, SUFFIX) },
  {
    name: "a request in a chunk",
    text: post(
      "Transfer-Encoding: chunked\r\n",
      `${SUFFIX.length.toString(16)}\r\n${SUFFIX}\r\n0\r\n\r\n`,
    ),
  },
  { name: "a length one too large", text: post("Content-Length: 6\r\n", "hello") },
  { name: "a length one too small", text: post("Content-Length: 4\r\n", "hello") },
];

/** Every case once. */
export function smugglingCorpus(): SmugglingCase[] {
  const cases = [
    ...BY_HAND,
    ...LENGTHS.map((value) => ({
      name: `Content-Length: ${value}`,
      text: post(`Content-Length: ${value}\r\n`, "hello"),
    })),
    ...CODINGS.map((value) => ({
      name: `Transfer-Encoding: ${value}`,
      text: post(`Transfer-Encoding: ${value}\r\n`, CHUNKED_BODY),
    })),
    ...CODINGS.slice(3).map((value) => ({
      name: `a length, and Transfer-Encoding: ${value}`,
      text: post(`Content-Length: 5\r\nTransfer-Encoding: ${value}\r\n`, "hello"),
    })),
    ...CODING_NAMES.map((name) => ({
      name: `${name}: chunked`,
      text: post(`Content-Length: 15\r\n${name}: chunked\r\n`, CHUNKED_BODY),
    })),
    ...CHUNK_SIZES.map((size) => ({
      name: `chunk size ${size}`,
      text: post("Transfer-Encoding: chunked\r\n", `${size}\r\nhello\r\n0\r\n\r\n`),
    })),
    ...CHUNKS.map((chunks) => ({
      name: `chunks ${chunks}`,
      text: post("Transfer-Encoding: chunked\r\n", chunks),
    })),
    ...START_LINES.map((line) => ({
      name: `start line ${line}`,
      text: `${line}\r\nHost: app\r\n\r\n`,
    })),
    ...HEADER_LINES.map((line) => ({
      name: `header ${line}`,
      text: `GET /case HTTP/1.1\r\nHost: app\r\n${line}\r\n`,
    })),
    ...HOSTS.map((line) => ({ name: `host ${line}`, text: `GET /case HTTP/1.1\r\n${line}\r\n` })),
  ];
  return cases.map(({ name, text }) => ({ name: show(name), text }));
}
