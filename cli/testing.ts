/** For tests of commands: transcripts kept in files. */
import assert from "node:assert/strict";

const GOLDEN = new URL("./testdata/golden/", import.meta.url);

/**
 * Compares a transcript with the one kept in `testdata/golden/`. `deno test -A cli -- --update` writes them anew: look at
 * the difference before you commit it.
 */
export function assertGolden(name: string, transcript: string): void {
  const file = new URL(name, GOLDEN);
  if (Deno.args.includes("--update")) {
    Deno.mkdirSync(GOLDEN, { recursive: true });
    Deno.writeTextFileSync(file, transcript);
  }
  assert.equal(transcript, Deno.readTextFileSync(file));
}

/** A transcript without the wording of Findings, which is tested where they arise: place, severity and code stay. */
export function withoutWording(transcript: string): string {
  return transcript.replace(
    /^(\S+ (?:error|warning|info) [a-z-]+) .*\n(?: {4}\S.*\n)?/gm,
    "$1 <message>\n    <hint>\n",
  );
}
