/**
 * Tells when manifests on disk may have changed. Errs on the side of telling: who listens reads again and compares.
 */

/** Quiet time that ends a burst of events: editors write in several steps, some of which leave half a file. */
const QUIET_MS = 60;
/** A burst that does not end is told of anyway. */
const BURST_MS_MAX = 1_000;

export interface Watch {
  stop(): void;
}

/**
 * Watches files and directories; `onChange` gets the paths that changed. A file is watched through its
 * directory, because editors and Kubernetes replace files instead of writing into them, and may come later. Standard input (`-`) does not
 * change.
 */
export function watchPaths(
  paths: readonly string[],
  options: { recursive: boolean; onChange: (changed: readonly string[]) => void },
): Watch {
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
    timer = setTimeout(tell, Math.max(0, Math.min(QUIET_MS, firstAt + BURST_MS_MAX - now)));
  };
  const watchers = paths.filter((path) => path !== "-").map((path) =>
    watchOne(path, options.recursive, note)
  );
  return {
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

function watchOne(path: string, recursive: boolean, note: (path: string) => void): Deno.FsWatcher {
  const isDirectory = isDirectoryNow(path);
  const watcher = isDirectory
    ? Deno.watchFs(path, { recursive })
    : Deno.watchFs(dirname(path), { recursive: false });
  const concerns = isDirectory ? isManifestName : (name: string) => name === basename(path);
  (async () => {
    for await (const event of watcher) {
      // Our own reading is an access.
      if (event.kind === "access") continue;
      for (const touched of event.paths) {
        // What comes, goes or is renamed may be a symbolic link that the file is reached through.
        if (event.kind !== "modify" || concerns(basename(touched))) note(touched);
      }
    }
  })();
  return watcher;
}

/** What is not there may come, as a file. */
function isDirectoryNow(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
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
