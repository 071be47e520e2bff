/** Words of messages for people. */

/** `1 error`, `2 errors`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What the system says of a failure, in plain words. */
export function causeText(error: unknown): string {
  return withoutFlagAdvice(error instanceof Error ? error.message : String(error))
    .replace(/ \(os error \d+\)$/, "");
}

/** Deno advises to use its own flags, which an executable does not take. */
export function withoutFlagAdvice(text: string): string {
  return text.replace(/,? run again with the --allow-[a-z-]+ flag/g, "");
}
