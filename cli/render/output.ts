/**
 * Output: one stream of text to a person or a pipe, and what it can show (colour, width, Unicode). The only way
 * out for every command, so that commands run in a test without a process.
 */
import { styleText } from "node:util";

/** What a piece of text is, not how it looks; {@link Output.style} maps it to a colour. */
export type Style = "error" | "warning" | "info" | "good" | "strong" | "faint";

const FORMATS = {
  error: "red",
  warning: "yellow",
  info: "cyan",
  good: "green",
  strong: "bold",
  faint: "dim",
} as const satisfies Record<Style, string>;

export interface Output {
  /** True where a person is likely to be reading. */
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  /** True where block characters will not turn into question marks. */
  readonly hasUnicode: boolean;
  /** Characters a line; null where it is not a terminal. */
  readonly columns: number | null;
  /** Writes text as it is. */
  write(text: string): void;
  /** Writes text and a line end. */
  line(text?: string): void;
  /** Marks text up where the output has colour; returns it unchanged elsewhere. */
  style(style: Style, text: string): string;
}

/** What the outer world tells about a stream. */
export interface OutputTraits {
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  readonly hasUnicode: boolean;
  readonly columns: number | null;
}

const PLAIN: OutputTraits = {
  isTerminal: false,
  hasColour: false,
  hasUnicode: false,
  columns: null,
};

/** An output over any sink. */
export function outputTo(sink: (text: string) => void, traits: OutputTraits = PLAIN): Output {
  return {
    ...traits,
    write: sink,
    line: (text = "") => sink(`${text}\n`),
    style: (style, text) =>
      traits.hasColour ? styleText(FORMATS[style], text, { validateStream: false }) : text,
  };
}

/** An output that keeps what was written, for tests. */
export interface MemoryOutput extends Output {
  text(): string;
  /** Resolves once the text matches `pattern`. */
  until(pattern: RegExp): Promise<void>;
}

/** Makes a {@link MemoryOutput}. */
export function memoryOutput(traits: OutputTraits = PLAIN): MemoryOutput {
  let written = "";
  let waiting: (() => void)[] = [];
  const output = outputTo((text) => {
    written += text;
    const waking = waiting;
    waiting = [];
    for (const wake of waking) wake();
  }, traits);
  return {
    ...output,
    text: () => written,
    async until(pattern) {
      while (!pattern.test(written)) await new Promise<void>((wake) => waiting.push(wake));
    },
  };
}
