/** Tells the request from paths: in `-f a.yaml b.yaml GET http://x/` the parser gives all four words to -f. */
import { METHODS } from "../../routing/request.ts";
import { usageFailure } from "../../console/exit.ts";
import {
  isWholeRequest,
  parseAsked,
  parseRequestLine,
  type RequestLine,
} from "../../console/values.ts";

interface Separated {
  readonly request: RequestLine;
  readonly paths: readonly string[];
}

/**
 * Takes the request out of the words that stood alone, or else out of the paths: METHOD URL as two words or as one, or a URL
 * that says all. Other words are paths. Throws a usage failure where there is no request.
 */
export function separateRequest(words: readonly string[], paths: readonly string[]): Separated {
  const ofWords = findRequest(words);
  if (ofWords !== null) return { ...ofWords, paths: [...paths, ...ofWords.paths] };
  if (words.length === 2) return { request: parseRequestLine(words[0], words[1]), paths };
  const ofPaths = words.length === 0 ? findRequest(paths) : null;
  if (ofPaths !== null) return ofPaths;
  const [word] = words;
  throw usageFailure(
    "weft explain takes one request: METHOD URL, or tcp://HOST:PORT",
    words.length === 1 && !/\s/.test(word)
      ? `Perhaps: weft explain GET http://${word}`
      : "For example: weft explain GET http://httpbin.httpbin:8080/test -f manifests/",
  );
}

/** Null: none of the words is a request, or more than one. */
function findRequest(words: readonly string[]): Separated | null {
  const found: Separated[] = [];
  for (let at = 0; at < words.length; at++) {
    const length = lengthOfRequest(words, at);
    if (length === 0) continue;
    found.push({
      request: parseAsked(words.slice(at, at + length).join(" ")),
      paths: [...words.slice(0, at), ...words.slice(at + length)],
    });
    at += length - 1;
  }
  return found.length === 1 ? found[0] : null;
}

/** How many words are a request; 0: there is none. */
function lengthOfRequest(words: readonly string[], at: number): number {
  const [first = "", second, ...rest] = words[at].trim().split(/\s+/);
  if (second !== undefined) return rest.length === 0 && isRequest(first, second) ? 1 : 0;
  if (isWholeRequest(first)) return 1;
  return isRequest(first, words[at + 1]) ? 2 : 0;
}

/** Strict, because `first` may as well be a file: a method that rules can name, or any before a full URL. */
function isRequest(first: string, second: string | undefined): boolean {
  if (second === undefined) return false;
  const isMethod = METHODS.some((method) => method === first);
  return isMethod || /^[A-Z][A-Z-]*$/.test(first) && second.includes("://");
}
