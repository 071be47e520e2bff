/** Tells METHOD URL from paths: in `-f a.yaml b.yaml GET http://x/` the parser gives all four words to -f. */
import { METHODS } from "../../routing/request.ts";
import { usageFailure } from "../../console/exit.ts";
import { parseRequestLine, type RequestLine } from "../../console/values.ts";

/**
 * Takes the request out of the words that stood alone, or else out of the paths, where a method is followed by a URL.
 * Throws a usage failure where there is none.
 */
export function separateRequest(
  words: readonly string[],
  paths: readonly string[],
): { request: RequestLine; paths: readonly string[] } {
  if (words.length === 2) return { request: parseRequestLine(words[0], words[1]), paths };
  if (words.length === 0) {
    const at = paths.findIndex((path, index) => isRequest(path, paths[index + 1]));
    if (at !== -1) {
      return {
        request: parseRequestLine(paths[at], paths[at + 1]),
        paths: [...paths.slice(0, at), ...paths.slice(at + 2)],
      };
    }
  }
  throw usageFailure(
    "weft explain takes one request: METHOD URL",
    "For example: weft explain GET http://httpbin.httpbin:8080/test -f manifests/",
  );
}

/** Strict, because `first` may as well be a file: a method that rules can name, or any before a full URL. */
function isRequest(first: string, second: string | undefined): boolean {
  if (second === undefined) return false;
  const isMethod = METHODS.some((method) => method === first);
  return isMethod || /^[A-Z][A-Z-]*$/.test(first) && second.includes("://");
}
