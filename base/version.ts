/**
 * What this program is: the one place of its version, and the commit it was built from.
 *
 * The commit is not asked of git at run time. A build embeds `build.json`, `{"commit": "<hash>"}`, beside this module; where that
 * file is missing or may not be read the commit is `unknown`.
 */

/** Semantic version, without a leading `v`. */
export const VERSION = "0.1.0";

/** The commit this program was built from, or `unknown`. */
export function buildCommit(): string {
  try {
    const text = Deno.readTextFileSync(new URL("./build.json", import.meta.url));
    const build: unknown = JSON.parse(text);
    if (typeof build === "object" && build !== null && "commit" in build) {
      if (typeof build.commit === "string" && build.commit !== "") return build.commit;
    }
  } catch {
    // Run from a checkout, or without read permission.
  }
  return "unknown";
}
