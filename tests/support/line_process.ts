/** LineProcess: a program of ours in a process of its own, which answers each line of its input with one line. Ends with its input. */
import { readLines } from "../../base/lines.ts";

const LINE_BYTES_MAX = 64 * 1024 * 1024;

export class LineProcess {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #lines: AsyncGenerator<string>;

  /**
   * @param script path of what Deno runs, with as little room for garbage as the executable has
   * @param before what runs Deno, such as `taskset -c 0`
   */
  constructor(script: string, args: readonly string[], before: readonly string[] = []) {
    const [program, ...words] = [
      ...before,
      Deno.execPath(),
      ...["run", "--no-prompt", "--no-check", "-A"],
      ...["--v8-flags=--expose-gc,--max-semi-space-size=8", script],
      ...args,
    ];
    this.#child = new Deno.Command(program, { args: words, stdin: "piped", stdout: "piped" })
      .spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = readLines(this.#child.stdout, () => LINE_BYTES_MAX);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** @throws {Error} it is gone */
  async nextLine(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("The process is gone");
    return value;
  }

  async ask(line: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return await this.nextLine();
  }

  /** Ends it; its exit code. */
  async stop(): Promise<number> {
    await this.#writer.close();
    await this.#lines.return(undefined);
    return (await this.#child.status).code;
  }
}
