/** Files that a person has named: what is wrong with one is said in one line. */

/** @throws {Error} one line names the file */
export async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new Error(`Cannot read "${path}": ${reason}`);
  }
}
