/**
 * Tells when files may have changed. Says nothing of what changed: whoever listens reads again and compares. Watches
 * folders rather than files, because editors and mounted ConfigMaps replace a file instead of writing to it.
 */

export interface WatchOptions {
  /** Files and directories, as given on the command line; `-` and what does not exist are left out. */
  readonly paths: readonly string[];
  /** Also the directories of a directory. */
  readonly recursive: boolean;
  /** Quiet for so long before `onChange` is called: an editor writes a file in several steps. */
  readonly settleMs: number;
  /** Never called twice at once; a change during a call leads to one more call. */
  readonly onChange: () => Promise<void>;
}

export interface Watch {
  /** Stops watching and waits for a call under way. */
  close(): Promise<void>;
}

/** Starts watching. Throws what `Deno.watchFs` throws where the system refuses (too many watches). */
export function watchPaths(options: WatchOptions): Watch {
  const { folders, isRelevant } = targetsOf(options.paths);
  const calls = new SettledCalls(options.settleMs, options.onChange);
  const watchers = [
    ...openWatcher(folders.shallow, false),
    ...openWatcher(folders.deep, options.recursive),
  ];
  const loops = watchers.map(async (watcher) => {
    for await (const event of watcher) {
      if (event.kind !== "access" && event.paths.some(isRelevant)) calls.request();
    }
  });
  return {
    async close() {
      for (const watcher of watchers) watcher.close();
      await Promise.all(loops);
      await calls.stop();
    },
  };
}

function openWatcher(folders: ReadonlySet<string>, recursive: boolean): Deno.FsWatcher[] {
  return folders.size === 0 ? [] : [Deno.watchFs([...folders], { recursive })];
}

/** The folders to watch, and whether a path in one of them matters. */
function targetsOf(paths: readonly string[]) {
  const folders = { shallow: new Set<string>(), deep: new Set<string>() };
  const files = new Set<string>();
  for (const path of paths) {
    const kind = kindOf(path);
    if (kind === "directory") folders.deep.add(path);
    if (kind === "file") {
      files.add(baseName(path));
      folders.shallow.add(path.replace(/[^/\\]*$/, "") || ".");
    }
  }
  const isRelevant = (changed: string) => {
    const name = baseName(changed);
    // `..data` is the link that a mounted ConfigMap swaps; a name without a dot may be a directory.
    return files.has(name) || name.startsWith("..") ||
      folders.deep.size > 0 && (/\.(ya?ml|json)$/.test(name) || !name.includes("."));
  };
  return { folders, isRelevant };
}

function kindOf(path: string): "file" | "directory" | "none" {
  try {
    return path === "-" ? "none" : Deno.statSync(path).isDirectory ? "directory" : "file";
  } catch {
    // Reading it has its own Finding.
    return "none";
  }
}

function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

/** Calls one function after requests have settled, never twice at once. */
class SettledCalls {
  readonly #settleMs: number;
  readonly #call: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(settleMs: number, call: () => Promise<void>) {
    this.#settleMs = settleMs;
    this.#call = call;
  }

  request(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#running.then(this.#call);
    }, this.#settleMs);
  }

  stop(): Promise<void> {
    clearTimeout(this.#timer);
    return this.#running;
  }
}
