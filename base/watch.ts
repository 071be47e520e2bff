/**
 * Tells when manifests on disk may have changed. Errs on the side of telling: who listens reads again and compares.
 */
import { WATCH_BURST_MS_MAX, WATCH_QUIET_MS } from "./limits.ts";

export interface Watch {
  stop(): void;
}

interface WatchOptions {
  readonly recursive: boolean;
  /** Gets the paths that changed. */
  readonly onChange: (changed: readonly string[]) => void;
  /** What was watched is gone, together with the directory it was in: nothing more is told of it. */
  readonly onLost?: (error: unknown) => void;
}

/**
 * Watches files and directories. A file is watched through its directory, because editors and Kubernetes replace files
 * instead of writing into them; what is not there may come. Standard input (`-`) does not change.
 * @throws {Error} a path cannot be watched: the directory it would be in is not there, or the system has no watch left
 */
export function watchPaths(paths: readonly string[], options: WatchOptions): Watch {
  const changed = new Set<string>();
  let firstAt = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tell = () => {
    timer = undefined;
    const list = [...changed];
    changed.clear();
    options.onChange(list);
  };
  const note = (path: string) => {
    const now = performance.now();
    if (timer === undefined) firstAt = now;
    else clearTimeout(timer);
    changed.add(path);
    timer = setTimeout(
      tell,
      Math.max(0, Math.min(WATCH_QUIET_MS, firstAt + WATCH_BURST_MS_MAX - now)),
    );
  };
  const watches: PathWatch[] = [];
  const stop = () => {
    clearTimeout(timer);
    for (const watch of watches) watch.stop();
  };
  try {
    for (const path of paths) if (path !== "-") watches.push(new PathWatch(path, options, note));
  } catch (error) {
    stop();
    throw error;
  }
  return { stop };
}

/** One path, whatever becomes of it: a directory that goes and comes again is another one, and is watched anew. */
class PathWatch {
  readonly #path: string;
  readonly #options: WatchOptions;
  readonly #note: (path: string) => void;
  #target: Target;
  #watcher: Deno.FsWatcher;
  #isStopped = false;

  constructor(path: string, options: WatchOptions, note: (path: string) => void) {
    this.#path = path.replace(/(.)\/+$/, "$1");
    this.#options = options;
    this.#note = note;
    this.#target = targetOf(this.#path);
    this.#watcher = this.#open();
    this.#follow();
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#watcher.close();
  }

  #open(): Deno.FsWatcher {
    const { directory, isPath } = this.#target;
    return Deno.watchFs(directory, { recursive: isPath && this.#options.recursive });
  }

  async #follow(): Promise<void> {
    try {
      for await (const event of this.#watcher) {
        // Our own reading is an access.
        if (event.kind !== "access") this.#tell(event);
        if (this.#isStale(event)) return this.#reopen();
      }
    } catch (error) {
      // Older versions of Deno throw where a loop over a watcher is left that was closed meanwhile.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }

  /** What is watched is not there any more; another directory may have its name, and even its number. */
  #isStale({ kind, paths }: Deno.FsEvent): boolean {
    const { directory, identity } = this.#target;
    return (kind === "remove" && paths.some((path) => basename(path) === basename(directory))) ||
      targetOf(this.#path).identity !== identity;
  }

  #tell({ kind, paths }: Deno.FsEvent): void {
    const concerns = this.#target.isPath
      ? isManifestName
      : (name: string) => name === basename(this.#path);
    for (const touched of paths) {
      // What comes, goes or is renamed may be a symbolic link that the file is reached through.
      if (kind !== "modify" || concerns(basename(touched))) this.#note(touched);
    }
  }

  #reopen(): void {
    this.#watcher.close();
    // The new watch does not tell of what came before it.
    this.#note(this.#path);
    this.#target = targetOf(this.#path);
    try {
      this.#watcher = this.#open();
    } catch (error) {
      this.#isStopped = true;
      return this.#options.onLost?.(error);
    }
    this.#follow();
  }
}

/** What is watched for a path. */
interface Target {
  readonly directory: string;
  /** The path itself; else the directory that it is in, or may come into, as a file or a directory. */
  readonly isPath: boolean;
  /** Tells one directory from another of the same name. */
  readonly identity: string;
}

function targetOf(path: string): Target {
  const own = identityOf(path);
  if (own !== null) return { directory: path, isPath: true, identity: own };
  const directory = dirname(path);
  return { directory, isPath: false, identity: identityOf(directory) ?? "none" };
}

/** Null: no directory is there. */
function identityOf(path: string): string | null {
  try {
    const { isDirectory, dev, ino } = Deno.statSync(path);
    return isDirectory ? `${dev} ${ino}` : null;
  } catch {
    return null;
  }
}

function isManifestName(name: string): boolean {
  return /\.(ya?ml|json)$/i.test(name);
}

function dirname(path: string): string {
  const end = path.lastIndexOf("/");
  return end < 0 ? "." : path.slice(0, Math.max(end, 1));
}

function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
