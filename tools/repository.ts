/**
 * Reads the working tree for the repository's own checks: which files there are and what they say. Build
 * output, downloaded packages and the fixtures that break the rules on purpose are left out.
 */

export const ROOT = new URL("../", import.meta.url);

const SKIPPED_FOLDERS = new Set([".git", ".weft", "dist", "node_modules", "tools/testdata"]);

/** Paths of all text files from the top of the repository, sorted. */
export function listFiles(folder = ""): string[] {
  const paths: string[] = [];
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory && !SKIPPED_FOLDERS.has(path)) paths.push(...listFiles(`${path}/`));
    // In a worktree `.git` is a file.
    if (entry.isFile && path !== ".git" && !path.endsWith(".log")) paths.push(path);
  }
  return paths.sort();
}

/** The text of one file, by its path from the top of the repository. */
export function readFile(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}
