/**
 * `deno task compile`: builds the one executable, dist/weft. Owns the flags that the executable is made with:
 * what is embedded, which permissions it has for life, and the commit that base/version.ts reads.
 *
 *   deno task compile                        for this machine
 *   deno task compile --target TRIPLE        for another one, dist/weft-TRIPLE (repeat for several)
 *   DENORT_BIN=FILE deno task compile        where Deno cannot download its base binary (Deno 2.6 only)
 */
import { BUNDLE, bundleProgram, ENTRY } from "./bundle.ts";
import { isTestFile, PAGE_PACKAGES, TEST_PACKAGES } from "./layers.ts";
import { buildTemplate, TEMPLATE } from "../page/build.ts";
import { listFiles, readFile, ROOT } from "./repository.ts";
import { type DenoCommand, LICENSES, runDeno, vendor } from "./vendor.ts";

/** The newest Deno whose payload format a base binary of the 2.6 line understands. */
const DENO_FOR_DENORT = "2.6.8";

/** base/version.ts says what it holds, and finds it beside itself: parts of a bundle are at its root. */
const STAMP = `${BUNDLE}/build.json`;

/** What is read at run time by its path (base/shipped.ts): no module imports it. */
const EMBEDDED_FILES = [
  "examples/",
  ...listFiles("schemas/crds/").filter((path) => path.endsWith(".yaml")),
  STAMP,
  LICENSES,
  TEMPLATE,
];

/**
 * One executable plays every role, so it has what its roles need together: `up` runs the user's commands and
 * `proxy` calls libc. Nothing may be asked for at run time, and no code may be loaded from elsewhere. FFI cannot be
 * narrowed to libc: given names, Deno looks for them in the working directory instead of where libraries are.
 */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-run",
  "--allow-ffi",
  "--allow-sys",
];

const V8_FLAGS = "--v8-flags=" + [
  // The path of a request is many small methods, of which 920 bytes of bytecode, the default, are few. Measured: a seventh of the time
  // that is not the system's.
  "--max-inlined-bytecode-size-cumulative=4000",
  // Garbage of a request is short-lived, and 16 MB for it, the default, only keep memory: gRPC under load has 81 MB instead of 160, and is
  // no slower. With 4 MB it is.
  "--max-semi-space-size=8",
  // For `base/start_garbage.ts`.
  "--expose-gc",
  // Second belt only: routing matches in linear time by itself.
  "--enable-experimental-regexp-engine-on-excessive-backtracks",
].join(",");

/** Runs a command to its end; null if the program is not there. */
function run(command: string, args: string[]): { success: boolean; output: string } | null {
  try {
    const { success, stdout } = new Deno.Command(command, {
      args,
      cwd: ROOT,
      stdout: "piped",
      stderr: "null",
    }).outputSync();
    return { success, output: new TextDecoder().decode(stdout).trim() };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Short commit hash, with `-dirty` where the working tree differs; empty without git. */
function currentCommit(): string {
  const described = run("git", ["describe", "--always", "--dirty", "--exclude", "*"]);
  return described?.success ? described.output : "";
}

/** What is embedded keeps its time, so that of the commit is given to it: the same commit gives the same bytes. */
function stampTimes(paths: readonly string[]): void {
  const time = commitTime();
  for (const path of paths) {
    const url = new URL(path, ROOT);
    if (path.endsWith("/")) {
      stampTimes(
        [...Deno.readDirSync(url)].map(({ name, isDirectory }) =>
          `${path}${name}${isDirectory ? "/" : ""}`
        ),
      );
    } else Deno.utimeSync(url, time, time);
  }
}

/** Seconds since 1970; without git, 0. */
function commitTime(): number {
  const told = run("git", ["log", "-1", "--format=%ct"]);
  return told?.success ? Number(told.output) : 0;
}

/** Modules that are started as workers, `new URL("./x.ts", import.meta.url)`, and so are not imported. */
function findWorkers(): string[] {
  const workers: string[] = [];
  for (const path of listFiles()) {
    if (!/^(base|routing|proxy|controller|cli)\/.*\.ts$/.test(path) || isTestFile(path)) continue;
    for (const match of readFile(path).matchAll(/new URL\("([^"]+\.ts)", import\.meta\.url\)/g)) {
      const url = new URL(match[1], new URL(path, ROOT));
      workers.push(url.pathname.slice(ROOT.pathname.length));
    }
  }
  return workers;
}

/**
 * Deno embeds every package of deno.json, whole, also what only tests use; so the build has a configuration of its own,
 * which names a bundle of each package that ships. Its path; null if a bundle could not be made.
 */
function writeConfiguration(deno: DenoCommand): string | null {
  const { imports } = JSON.parse(readFile("deno.json")) as { imports: Record<string, string> };
  const shipped = Object.keys(imports).filter((name) => !TEST_PACKAGES.includes(name));
  const vendored = vendor(shipped.filter((name) => !PAGE_PACKAGES.includes(name)), shipped, deno);
  if (vendored === null) return null;
  const configuration = { nodeModulesDir: "none", lock: false, imports: vendored };
  Deno.writeTextFileSync(new URL("dist/deno.json", ROOT), JSON.stringify(configuration));
  return "dist/deno.json";
}

/** Bytes; null if the file is not there. */
function sizeOf(path: string): number | null {
  try {
    return Deno.statSync(new URL(path, ROOT)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function compileOne(target: string | null, bundled: readonly string[], deno: DenoCommand): boolean {
  const output = `dist/weft${target === null ? "" : `-${target}`}`;
  const args = ["compile", "--quiet", "--no-check", "--no-config", V8_FLAGS, ...PERMISSIONS];
  for (const path of [...EMBEDDED_FILES, ...bundled]) args.push("--include", path);
  if (target !== null) args.push("--target", target);
  args.push("--output", output, ENTRY);

  if (sizeOf(output) !== null) Deno.removeSync(new URL(output, ROOT));
  runDeno(deno, args, "inherit");
  // Not the exit code: npx reports none when what it runs is killed by a signal.
  const size = sizeOf(output);
  if (size !== null) console.log(`${output} (${Math.round(size / 1_000_000)} MB)`);
  return size !== null;
}

/** A given base binary needs its own Deno: another one would append a payload that it cannot read. */
function denoThatCompiles(): DenoCommand {
  const isGiven = (Deno.env.get("DENORT_BIN") ?? "") !== "";
  if (!isGiven || Deno.version.deno.startsWith("2.6.")) return [Deno.execPath(), []];
  console.error(`DENORT_BIN is set: compiling with Deno ${DENO_FOR_DENORT}`);
  return ["npx", ["-y", `deno@${DENO_FOR_DENORT}`]];
}

async function main(args: string[]): Promise<number> {
  const targets: (string | null)[] = [];
  for (let i = 0; i < args.length; i += 2) {
    if (args[i] !== "--target" || args[i + 1] === undefined) {
      console.error("Usage: deno task compile [--target TRIPLE]...");
      return 2;
    }
    targets.push(args[i + 1]);
  }
  Deno.mkdirSync(new URL("dist", ROOT), { recursive: true });
  const deno = denoThatCompiles();
  const configuration = writeConfiguration(deno);
  if (configuration === null) return 1;
  const bundled = bundleProgram(findWorkers(), configuration, deno);
  if (bundled === null) return 1;
  const template = await buildTemplate(deno);
  if (template === null) return 1;
  const packed = new Blob([template]).stream().pipeThrough(new CompressionStream("gzip"));
  Deno.writeFileSync(new URL(TEMPLATE, ROOT), await new Response(packed).bytes());
  const stamp = `${JSON.stringify({ commit: currentCommit() })}\n`;
  Deno.writeTextFileSync(new URL(STAMP, ROOT), stamp);
  stampTimes([...EMBEDDED_FILES, `${BUNDLE}/`]);
  if (targets.length === 0) targets.push(null);
  const built = targets.map((target) => compileOne(target, bundled, deno));
  return built.every(Boolean) ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
