/** Commands of this machine: whether they are there, and what they say. */

interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** True where `command` is there to be run. */
export function hasCommand(command: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${command}`], stdout: "null" })
    .outputSync().success;
}

/** Runs a command to its end; `input` is its standard input. */
export async function runCommand(
  command: string,
  args: readonly string[],
  input = "",
  options: Deno.CommandOptions = {},
): Promise<CommandResult> {
  const child = new Deno.Command(command, {
    ...options,
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // One that reads none of it may have ended by now.
  const writing = writer.write(new TextEncoder().encode(input)).then(() => writer.close());
  const { code, stdout, stderr } = await child.output();
  await writing.catch(() => {});
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
