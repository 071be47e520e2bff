/**
 * The way in for manifests: files, directories and standard input to a Snapshot with Findings.
 *
 * Loads the YAML parser and the schema checker; a command that may not need manifests imports this when it does.
 */
import type { Finding } from "../base/finding.ts";
import { MANIFEST_LIMITS } from "./limits.ts";
import type { Loaded, ManifestFile, ManifestOptions } from "./manifests.ts";
import { parseManifests, sizeFinding } from "./manifests.ts";
import type { ReadMemory } from "./read_memory.ts";
import { makeFinding } from "./report.ts";

/** Where files are; the parts of Deno's own functions that are needed of them, with their errors. */
export interface FileTree {
  /** Stands before the names of its files. */
  readonly prefix: string;
  stat(path: string): Promise<FileFacts>;
  readDir(path: string): AsyncIterable<Pick<Deno.DirEntry, "name" | "isDirectory">>;
  readFile(path: string): Promise<Uint8Array>;
}

export type FileFacts = Pick<Deno.FileInfo, "isDirectory" | "isFile" | "size">;

export const DISK: FileTree = {
  prefix: "",
  stat: (path) => Deno.stat(path),
  readDir: (path) => Deno.readDir(path),
  readFile: (path) => Deno.readFile(path),
};

interface PathOptions extends ManifestOptions {
  /** Left out: the files of this machine. */
  readonly tree?: FileTree;
  /** Directories with all below them; without it, as with kubectl, only what is directly in them. */
  readonly recursive?: boolean;
  /** Reads standard input to its end, for the path `-`. */
  readonly stdin?: () => Promise<string>;
  /** Of earlier readings. */
  readonly memory?: ReadMemory;
}

interface LoadedPaths extends Loaded {
  /** Every file that was read, named as positions name it. */
  readonly files: string[];
}

/**
 * Reads manifests from files, directories (`*.yaml`, `*.yml`, `*.json`, by name) and `-`. A path that cannot be
 * read is a Finding; the others still count.
 */
export async function loadPaths(
  paths: readonly string[],
  options: PathOptions = {},
): Promise<LoadedPaths> {
  const collector = new Collector(options);
  for (const path of new Set(paths)) await collector.addPath(path);
  const loaded = parseManifests(collector.files, options, options.memory);
  collector.reportEmpty(new Set(loaded.emptyFiles));
  return {
    ...loaded,
    findings: [...collector.findings, ...loaded.findings],
    files: collector.files.map(({ name }) => name),
  };
}

/** Reads the text of manifests, as {@link loadPaths} does, and nothing of what it says. */
export async function readPaths(
  paths: readonly string[],
  options: PathOptions = {},
): Promise<{ readonly files: readonly ManifestFile[]; readonly findings: readonly Finding[] }> {
  const collector = new Collector(options);
  for (const path of new Set(paths)) await collector.addPath(path);
  return collector;
}

const MANIFEST_NAME = /\.(?:yaml|yml|json)$/;
/** Says how to run workloads locally; it lives beside the manifests and is none. */
const LOCAL_SETTINGS_NAME = "weft.local.yaml";

/** A path that was read, and the files that came of it. */
interface ReadPath {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly files: readonly ManifestFile[];
}

class Collector {
  readonly files: ManifestFile[] = [];
  readonly findings: Finding[] = [];
  readonly #options: PathOptions;
  readonly #tree: FileTree;
  readonly #read: ReadPath[] = [];
  #bytes = 0;

  constructor(options: PathOptions) {
    this.#options = options;
    this.#tree = options.tree ?? DISK;
  }

  async addPath(path: string): Promise<void> {
    const { length } = this.files;
    const problems = this.findings.length;
    const isDirectory = await this.#addAny(path);
    // What could not be read is no reason to say that there is nothing.
    if (this.findings.length > problems) return;
    this.#read.push({ path, isDirectory, files: this.files.slice(length) });
  }

  /** Reports each path without a manifest: most likely what was to write it has failed, as in `helm template … | weft …`. */
  reportEmpty(empty: ReadonlySet<string>): void {
    for (const { path, isDirectory, files } of this.#read) {
      if (files.some(({ name }) => !empty.has(name))) continue;
      if (path === "-") {
        this.#reportUnreadable(
          path,
          "Standard input has no manifest",
          'See what the command before "|" says; with "set -o pipefail" its failure counts',
        );
      } else if (!isDirectory) {
        this.#reportUnreadable(
          path,
          "The file has no manifest",
          "Name another file, or leave it out",
        );
      } else {
        this.#reportUnreadable(
          path,
          files.length === 0
            ? "The directory has no *.yaml, *.yml or *.json file"
            : "No file of the directory has a manifest",
          this.#options.recursive
            ? "Name another directory"
            : "Name the files, or read it recursively",
        );
      }
    }
  }

  /** Whether it is a directory. */
  async #addAny(path: string): Promise<boolean> {
    if (path === "-" || path === "/dev/stdin") {
      await this.#addStdin();
      return false;
    }
    const info = await this.#attempt(path, () => this.#tree.stat(path));
    if (info?.isDirectory === true) await this.#addDirectory(path);
    else if (info !== undefined) await this.#addFile(path, info.size);
    return info?.isDirectory === true;
  }

  async #addDirectory(path: string): Promise<void> {
    const entries = await this.#attempt(path, () => Array.fromAsync(this.#tree.readDir(path)));
    if (entries === undefined) return;
    entries.sort((left, right) => left.name < right.name ? -1 : 1);
    for (const { name, isDirectory } of entries) {
      const child = `${path.replace(/\/+$/, "")}/${name}`;
      // A linked directory is not followed: it could lead back here.
      if (isDirectory && this.#options.recursive) await this.#addDirectory(child);
      if (isDirectory || !MANIFEST_NAME.test(name) || name === LOCAL_SETTINGS_NAME) continue;
      const info = await this.#attempt(child, () => this.#tree.stat(child));
      if (info?.isFile) await this.#addFile(child, info.size);
    }
  }

  async #addFile(path: string, size: number): Promise<void> {
    const isTooLarge = size > MANIFEST_LIMITS.fileBytesMax;
    if (isTooLarge || this.#bytes + size > MANIFEST_LIMITS.totalBytesMax) {
      this.findings.push(sizeFinding(`${this.#tree.prefix}${path}`, isTooLarge));
      return;
    }
    this.#bytes += size;
    const bytes = await this.#attempt(path, () => this.#tree.readFile(path));
    if (bytes === undefined) return;
    try {
      this.files.push({
        name: `${this.#tree.prefix}${path}`,
        text: new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      });
    } catch {
      this.#reportUnreadable(path, "The file is not UTF-8 text", "Save it as UTF-8");
    }
  }

  async #addStdin(): Promise<void> {
    const { stdin } = this.#options;
    if (stdin === undefined) {
      this.#reportUnreadable("-", "There is no standard input here", "Name a file");
      return;
    }
    const text = await this.#attempt("-", stdin);
    if (text === undefined) return;
    this.files.push({ name: "-", text });
  }

  async #attempt<Result>(path: string, read: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await read();
    } catch (error) {
      this.#reportUnreadable(path, ...explainFailure(error));
      return undefined;
    }
  }

  #reportUnreadable(path: string, message: string, hint: string): void {
    this.findings.push(
      makeFinding("source-unreadable", {
        message: `${message}: "${this.#tree.prefix}${path}"`,
        hint,
        position: { file: `${this.#tree.prefix}${path}`, line: 1, column: 1 },
      }),
    );
  }
}

/** Message and hint for an error of the operating system or of Deno's permissions. */
function explainFailure(error: unknown): readonly [string, string] {
  if (error instanceof Deno.errors.NotFound) {
    return ["There is no such file or directory", "Correct the path"];
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return ["The file may not be read", "Give yourself permission to read it"];
  }
  if (error instanceof Deno.errors.NotCapable) {
    return ["The file may not be read by this program", "Give - for standard input, or copy it"];
  }
  const reason = error instanceof Error ? error.message : String(error);
  return [`The file could not be read (${reason})`, "Check the path and the disk"];
}
