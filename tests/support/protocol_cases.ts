/**
 * Reads protocol cases out of Markdown: a heading names a case, prose says why, and fenced blocks hold the
 * bytes (`bytes_notation.ts`) and what becomes of them.
 *
 *     ## Heading
 *     ```request | response | response to HEAD | chunked
 *     bytes; `\?` is replaced by each line of the next block
 *     ```variants          (optional)
 *     ```outcome           name: value, one fact a line, values as bytes too
 *     ```forwarded         (optional) the head that is passed on
 */
import { parseBytes, renderBytes } from "./bytes_notation.ts";

export interface ProtocolCase {
  readonly name: string;
  /** The label of the block with the bytes. */
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** Facts that must hold. */
  readonly expected: Readonly<Record<string, string>>;
}

interface Draft {
  readonly name: string;
  readonly kind: string;
  readonly text: string;
  variants: string[];
  readonly expected: Record<string, string>;
}

/** @throws {SyntaxError} where the file is not in this form */
export function parseProtocolCases(markdown: string): ProtocolCase[] {
  const drafts: Draft[] = [];
  let heading = "";
  for (const [, title, label, content] of markdown.matchAll(/^## (.+)$|^```(.+)\n([^]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else take(drafts, heading, label, content);
  }
  return drafts.flatMap(expand);
}

function take(drafts: Draft[], name: string, label: string, content: string): void {
  const draft = drafts.at(-1);
  if (/^(request|response|response to HEAD|chunked)$/.test(label)) {
    drafts.push({ name, kind: label, text: content, variants: [], expected: {} });
    return;
  }
  if (draft === undefined) throw new SyntaxError(`A case begins with bytes, not with "${label}"`);
  const lines = content.split("\n").filter((line) => line !== "");
  if (label === "variants") draft.variants = lines;
  else if (label === "forwarded") draft.expected.forwarded = content;
  else if (label === "outcome") {
    for (const line of lines) {
      const [, key, value = ""] = /^([a-z]+):(?: (.*))?$/.exec(line) ?? [];
      if (key === undefined) throw new SyntaxError(`Not a fact: "${line}"`);
      draft.expected[key] = value;
    }
  } else throw new SyntaxError(`Unknown block "${label}"`);
}

function expand({ name, kind, text, variants, expected }: Draft): ProtocolCase[] {
  const facts = Object.entries(expected);
  if (facts.length === 0) throw new SyntaxError(`"${name}" expects nothing`);
  return (variants.length === 0 ? [""] : variants).map((variant) => {
    const bytes = (content: string) => parseBytes(content.replaceAll("\\?", () => variant));
    return {
      name: variant === "" ? name : `${name}: ${variant}`,
      kind,
      bytes: bytes(text),
      expected: Object.fromEntries(facts.map(([key, value]) => [key, renderBytes(bytes(value))])),
    };
  });
}
