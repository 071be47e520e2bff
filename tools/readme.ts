/** Reads the commands that a document shows in its `sh` blocks, so that a test can hold it to them. Pure. */

interface DocumentedCommand {
  /** The words of the command, quotes removed. */
  readonly words: readonly string[];
  /** As written, without the comment. */
  readonly text: string;
}

/** Every command line of the `sh` blocks of a Markdown text. */
export function extractCommands(markdown: string): DocumentedCommand[] {
  const commands: DocumentedCommand[] = [];
  for (const [, block] of markdown.matchAll(/^```sh\n(.*?)^```$/gms)) {
    for (const line of block.split("\n")) {
      const text = line.replace(/\s+#.*$/, "").trim();
      if (text !== "" && !text.startsWith("#")) commands.push({ words: splitWords(text), text });
    }
  }
  return commands;
}

/** Splits at spaces as a shell does, for the quotes that our documents use. */
function splitWords(text: string): string[] {
  const words = text.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  return words.map((word) => /^(['"]).*\1$/.test(word) ? word.slice(1, -1) : word);
}
