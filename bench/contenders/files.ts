/** Files that contenders are told what to do by, and commands that are run to their end. */
import type { Setting } from "./contender.ts";
import { acceptsConnections } from "../process.ts";

/** Writes a file of this contender's own and gives its path. */
export function write(setting: Setting, name: string, text: string): string {
  const path = `${setting.folder}/${name}`;
  Deno.writeTextFileSync(path, text);
  return path;
}

/** The file's path where it is one; null if it is not. */
export function existing(path: string): string | null {
  try {
    return Deno.statSync(path).isFile ? path : null;
  } catch {
    return null;
  }
}

/** Path of a file beside the module that asks. */
export function beside(module: string, name: string): string {
  return decodeURIComponent(new URL(name, module).pathname);
}

/** What the command prints. @throws {Error} it fails; the message is what it said */
export function runToEnd(command: readonly string[]): string {
  const [program, ...args] = command;
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${command.join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}

/** Compiles one C file into `folder` and gives the program's path. */
export function compileC(
  source: string,
  folder: string,
  libraries: readonly string[] = [],
): string {
  const program = `${folder}/${source.replace(/^.*\/|\.c$/g, "")}`;
  runToEnd(["gcc", "-O2", "-o", program, source, ...libraries]);
  return program;
}

/** Ready once it listens. */
export function isListening({ port }: Setting): Promise<boolean> {
  return acceptsConnections(port);
}
