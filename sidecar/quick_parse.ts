/**
 * Reads an ordinary command line of `weft proxy` without commander, which would cost every sidecar 6 MB of memory of its own
 * and 25 ms of start (measured on Deno 2.9.6). Whatever is not plainly right is left to commander, which explains it.
 */
import { type GivenOptions, SIDECAR_OPTIONS, syntaxOf } from "./options.ts";

/** The options that `words`, those after `proxy`, give; null where commander should look at them. */
export function parseQuickly(words: readonly string[]): GivenOptions | null {
  const given: Record<string, unknown> = {};
  for (let at = 0; at < words.length;) {
    const [name, attached] = splitAtEquals(words[at++]);
    const option = SIDECAR_OPTIONS.find((each) => {
      const { short, long } = syntaxOf(each);
      return name === long || name === short;
    });
    if (option === undefined) return null;
    const { key, kind } = syntaxOf(option);
    if (kind === "switch") {
      if (attached !== undefined) return null;
      given[key] = true;
      continue;
    }
    const values = attached === undefined ? [] : [attached];
    const isFull = () => kind === "value" ? values.length > 0 : attached !== undefined;
    // A lone dash is a value: standard input.
    while (at < words.length && !isFull() && !/^-./.test(words[at])) values.push(words[at++]);
    if (values.length === 0 || values.includes("")) return null;
    if (option.choices !== undefined && !option.choices.includes(values[0])) return null;
    given[key] = kind === "list"
      ? [...(given[key] as string[] | undefined ?? []), ...values]
      : values[0];
  }
  return given;
}

/** `--name=value` to its halves; any other word to itself. */
function splitAtEquals(word: string): [name: string, attached: string | undefined] {
  const at = word.startsWith("--") ? word.indexOf("=") : -1;
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}
