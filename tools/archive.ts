/** Archives that are the same bytes on every machine and day. */
import { ROOT } from "./repository.ts";

/** @throws {Error} it failed, and has said why */
export function runTool(command: string, args: readonly string[]): void {
  const { success } = new Deno.Command(command, {
    args: [...args],
    cwd: ROOT,
    stderr: "inherit",
  }).outputSync();
  if (!success) throw new Error(`${command} failed`);
}

/** A tar of a folder, in the order of names, with neither times nor owners of this machine. */
export function archive(folder: string, output: string, what = "."): void {
  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  runTool("tar", [...same, "-C", folder, "-cf", output, what]);
}

/** The same, packed: `output` ends in `.tar.gz` or `.tgz`. */
export function packedArchive(folder: string, output: string, what: string): void {
  const plain = output.replace(/\.(tar\.gz|tgz)$/, ".tar");
  archive(folder, plain, what);
  // Without the name and the time of the file.
  runTool("gzip", ["--no-name", "--best", "--force", plain]);
  Deno.renameSync(new URL(`${plain}.gz`, ROOT), new URL(output, ROOT));
}
