/**
 * Makes a bundle of our own modules, in parts as the commands need them. Deno keeps all that it embeds in memory for as long as
 * the executable runs. Of a TypeScript module that is the source, what it was made into, and the map between the two. Names stay
 * as they are, for the sake of stack traces.
 */
import { ROOT } from "./repository.ts";
import { type DenoCommand, runDeno } from "./vendor.ts";

/** Two folders deep: `base/shipped.ts` counts on it. */
export const BUNDLE = "dist/bundle";

/** Where the bundled program starts. */
export const ENTRY = `${BUNDLE}/main.js`;

/**
 * Bundles `main.ts` and the modules that are started as workers; `configuration` says what packages' names mean. What has to be embedded
 * beside the entry; null if it could not be bundled, which Deno has explained.
 */
export function bundleProgram(
  workers: readonly string[],
  configuration: string,
  deno: DenoCommand,
): string[] | null {
  try {
    Deno.removeSync(new URL(BUNDLE, ROOT), { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const args = ["bundle", "--quiet", "--platform", "deno", "--config", configuration];
  args.push("--code-splitting", "--outdir", BUNDLE, "main.ts", ...workers);
  if (runDeno(deno, args, "inherit") === null) return null;
  return workers.flatMap(reachWorker);
}

/** Workers are started by their old names, beside the module that starts them; parts of a bundle are at its root. */
function reachWorker(path: string): string[] {
  const bundled = path.replace(/\.ts$/, ".js");
  const old = `${BUNDLE}/${path.slice(path.lastIndexOf("/") + 1)}`;
  Deno.writeTextFileSync(new URL(old, ROOT), `import "./${bundled}";\n`);
  return [old, `${BUNDLE}/${bundled}`];
}
