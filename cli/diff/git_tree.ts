/**
 * GitTree: the files of a git revision, as a FileTree. Asks the program `git`, which knows every form of repository; each question
 * has a deadline, and nothing of it is fetched.
 */
import { joinBytes } from "../../base/bytes.ts";
import { causeText } from "../../base/text.ts";
import { CommandFailure } from "../../console/exit.ts";
import type { FileFacts, FileTree } from "../../schemas/source.ts";
import { GIT_ANSWER_MS, GIT_LIST_BYTES_MAX } from "../limits.ts";

interface GitFile {
  readonly id: string;
  readonly size: number;
}

export class GitTree implements FileTree {
  readonly prefix: string;
  readonly #git: Git;
  /** Sorted, without `./` before them. */
  readonly #files: ReadonlyMap<string, GitFile>;
  readonly #directories = new Set<string>();

  private constructor(prefix: string, git: Git, files: ReadonlyMap<string, GitFile>) {
    this.prefix = prefix;
    this.#git = git;
    this.#files = files;
    for (const path of files.keys()) {
      for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
        this.#directories.add(path.slice(0, end));
      }
    }
    this.#directories.add("");
  }

  /**
   * @param revision any that git knows
   * @param isFromTop paths count from the top of the repository, as in `REV:path`; else from where the command runs
   * @throws {CommandFailure} where there is no such revision, no repository or no git
   */
  static async open(revision: string, isFromTop: boolean): Promise<GitTree> {
    // It would be taken for an option.
    if (revision.startsWith("-") || revision === "") throw noRevision(revision);
    const git = new Git();
    const commit = await git.ask(["rev-parse", "--verify", "--quiet", `${revision}^{commit}`])
      .catch((error) => {
        throw error instanceof GitRefusal ? noRevision(revision, error.said) : error;
      });
    const list = await git.ask([
      ...["ls-tree", "-r", "-l", "-z"],
      ...(isFromTop ? ["--full-tree"] : []),
      commit.trim(),
      ...(isFromTop ? [] : ["--", "."]),
    ]);
    return new GitTree(`${revision}:`, git, filesOf(list));
  }

  stat(path: string): Promise<FileFacts> {
    const plain = plainPath(path);
    const file = this.#files.get(plain);
    if (file !== undefined) {
      return Promise.resolve({ isFile: true, isDirectory: false, size: file.size });
    }
    if (this.#directories.has(plain)) {
      return Promise.resolve({ isFile: false, isDirectory: true, size: 0 });
    }
    return Promise.reject(new Deno.errors.NotFound(path));
  }

  async *readDir(path: string): AsyncIterable<{ name: string; isDirectory: boolean }> {
    const plain = plainPath(path);
    const start = plain === "" ? "" : `${plain}/`;
    const inside = (each: string) =>
      each.startsWith(start) && !each.slice(start.length).includes("/");
    for (const file of this.#files.keys()) {
      if (inside(file)) yield { name: file.slice(start.length), isDirectory: false };
    }
    for (const directory of this.#directories) {
      if (directory !== plain && directory !== "" && inside(directory)) {
        yield { name: directory.slice(start.length), isDirectory: true };
      }
    }
  }

  readFile(path: string): Promise<Uint8Array> {
    const file = this.#files.get(plainPath(path));
    if (file === undefined) return Promise.reject(new Deno.errors.NotFound(path));
    return this.#git.askBytes(["cat-file", "blob", file.id], file.size);
  }
}

/** `REV:path` to its two parts; null: it is no such text. One letter may be a drive. */
export function splitRevision(text: string): { revision: string; path: string } | null {
  const parts = /^([^:]{2,}):(?!\/\/)(.*)$/s.exec(text);
  return parts === null ? null : { revision: parts[1], path: parts[2] };
}

function plainPath(path: string): string {
  return path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

/** Links and other repositories inside are left out: they lead elsewhere. */
function filesOf(list: string): Map<string, GitFile> {
  const files = new Map<string, GitFile>();
  for (const line of list.split("\0")) {
    const [, id, size, path] = /^100[0-7]{3} blob ([0-9a-f]+) +(\d+)\t([^]*)$/.exec(line) ?? [];
    if (path !== undefined) files.set(path, { id, size: Number(size) });
  }
  return files;
}

function noRevision(revision: string, said = ""): CommandFailure {
  return new CommandFailure(`git knows no revision "${revision}" here`, {
    hint: said || "In CI the checkout may hold one commit only: fetch the other one first.",
  });
}

/** Git ran, and said no. */
class GitRefusal extends CommandFailure {
  /** Its first line. */
  readonly said: string;

  constructor(question: string, said: string) {
    super(`git ${question} failed: ${said}`);
    this.said = said;
  }
}

class Git {
  async ask(args: readonly string[]): Promise<string> {
    return new TextDecoder().decode(await this.askBytes(args, GIT_LIST_BYTES_MAX));
  }

  async askBytes(args: readonly string[], bytesMax: number): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(GIT_ANSWER_MS);
    const [question] = args;
    try {
      await using child = new Deno.Command("git", {
        args: [...args],
        env: {
          GIT_OPTIONAL_LOCKS: "0",
          GIT_TERMINAL_PROMPT: "0",
          GIT_NO_LAZY_FETCH: "1",
          LC_ALL: "C",
        },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        signal,
      }).spawn();
      const [bytes, said, { success }] = await Promise.all([
        readBounded(child.stdout, bytesMax),
        new Response(child.stderr).text(),
        child.status,
      ]);
      if (signal.aborted) throw new CommandFailure(`git ${question} gave no answer in time`);
      if (!success) throw new GitRefusal(question, said.trim().split("\n")[0]);
      return bytes;
    } catch (error) {
      if (error instanceof CommandFailure) throw error;
      const hint = "Install git, or name two directories instead.";
      if (error instanceof Deno.errors.NotFound) {
        throw new CommandFailure("There is no git here", { hint });
      }
      throw new CommandFailure(`Cannot run git: ${causeText(error)}`, { hint });
    }
  }
}

async function readBounded(
  stream: ReadableStream<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    if (length > bytesMax) throw new CommandFailure("git answers more than is read");
    parts.push(part);
  }
  return joinBytes(parts);
}
