/**
 * Output: one stream of text to a person or a pipe, and what it can show (colour, width, Unicode). The only way
 * out for every command, so that commands run in a test without a process.
 */
/** What a piece of text is, not how it looks; {@link Output.style} maps it to a colour. */
export type Style = "error" | "warning" | "info" | "good" | "strong" | "faint";

/**
 * Start and end of each style (ECMA-48 SGR). By hand, because loading node:util for its styleText takes a quarter of the time of
 * `weft version`.
 */
const SEQUENCES = {
  error: ["\x1b[31m", "\x1b[39m"],
  warning: ["\x1b[33m", "\x1b[39m"],
  info: ["\x1b[36m", "\x1b[39m"],
  good: ["\x1b[32m", "\x1b[39m"],
  strong: ["\x1b[1m", "\x1b[22m"],
  faint: ["\x1b[2m", "\x1b[22m"],
} as const satisfies Record<Style, readonly [string, string]>;

export interface Output {
  /** True if a person is likely to be reading. */
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  /** True if block characters will not turn into question marks. */
  readonly hasUnicode: boolean;
  /** Characters a line; null if it is not a terminal. */
  readonly columns: number | null;
  /** Writes text as it is. */
  write(text: string): void;
  /** Writes text and a line end. */
  line(text?: string): void;
  /** Writes text (UTF-8) in the background; resolves once all of it is written, rejects where the reader has gone. */
  send(bytes: Uint8Array): Promise<void>;
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
export function outputTo(
  sink: (text: string) => void,
  traits: OutputTraits = PLAIN,
  send: Output["send"] = (bytes) => Promise.try(sink, new TextDecoder().decode(bytes)),
): Output {
  return {
    ...traits,
    write: sink,
    send,
    line: (text = "") => sink(`${text}\n`),
    style(style, text) {
      const [start, end] = SEQUENCES[style];
      return traits.hasColour ? `${start}${text}${end}` : text;
    },
  };
}
