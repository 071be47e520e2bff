/** Files of the repository that the program reads as it runs, such as examples: where they are, however it was started. */

/**
 * The address of a file by its path from the top of the repository. A bundle (tools/bundle.ts) is JavaScript and lies two
 * folders deep, whatever module this one has become a part of; `tools/compile.ts` embeds the files.
 */
export function shippedFile(path: string): URL {
  const isBundled = import.meta.url.endsWith(".js");
  return new URL(`${isBundled ? "../../" : "../"}${path}`, import.meta.url);
}
