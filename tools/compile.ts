/**
 * `deno task compile`: builds the one executable, dist/weft. Owns the flags that the executable is made with:
 * what is embedded, which permissions it has for life, and the commit that base/version.ts reads.
 *
 *   deno task compile                        for this machine
 *   deno task compile --target TRIPLE        for another one, dist/weft-TRIPLE (repeat for several)
 *   DENORT_BIN=FILE deno task compile        where Deno cannot download its base binary (Deno 2.6 only)
 */
import { ROOT } from "./repository.ts";

/** The newest Deno whose payload format a base binary of the 2.6 line understands. */
const DENO_FOR_DENORT = "2.6.8";

/** Written for the time of the build; base/version.ts says what it holds. */
const STAMP = "base/build.json";

/** What is read at run time by its path, or started as a worker: the program does not import it. */
const EMBEDDED = ["proxy/", "schemas/crds/", "examples/", STAMP];

/**
 * One executable plays every role, so it has what its roles need together: `up` runs the user's commands and
 * `proxy` calls libc. Nothing may be asked for at run time, and no code may be loaded from elsewhere.
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

/** Second belt only: routing matches in linear time by itself. */
const V8_FLAGS = "--v8-flags=--enable-experimental-regexp-engine-on-excessive-backtracks";

/** Runs a command to its end; null where the program is not there. */
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

function compileOne(target: string | null): boolean {
  const output = `dist/weft${target === null ? "" : `-${target}`}`;
  const args = ["compile", "--quiet", "--no-check", "--frozen", V8_FLAGS, ...PERMISSIONS];
  for (const path of EMBEDDED) args.push("--include", path);
  if (target !== null) args.push("--target", target);
  args.push("--output", output, "main.ts");

  const [command, first] = denoThatCompiles();
  const { success } = new Deno.Command(command, { args: [...first, ...args], cwd: ROOT })
    .outputSync();
  if (success) console.log(output);
  return success;
}

/** A given base binary needs its own Deno: another one would append a payload that it cannot read. */
function denoThatCompiles(): [string, string[]] {
  const isGiven = (Deno.env.get("DENORT_BIN") ?? "") !== "";
  if (!isGiven || Deno.version.deno.startsWith("2.6.")) return [Deno.execPath(), []];
  console.error(`DENORT_BIN is set: compiling with Deno ${DENO_FOR_DENORT}`);
  return ["npx", ["-y", `deno@${DENO_FOR_DENORT}`]];
}

function main(args: string[]): number {
  const targets: string[] = [];
  for (let i = 0; i < args.length; i += 2) {
    if (args[i] !== "--target" || args[i + 1] === undefined) {
      console.error("Usage: deno task compile [--target TRIPLE]...");
      return 2;
    }
    targets.push(args[i + 1]);
  }
  Deno.mkdirSync(new URL("dist", ROOT), { recursive: true });
  const stamp = new URL(STAMP, ROOT);
  Deno.writeTextFileSync(stamp, `${JSON.stringify({ commit: currentCommit() })}\n`);
  try {
    const built = targets.length === 0 ? [compileOne(null)] : targets.map(compileOne);
    return built.every(Boolean) ? 0 : 1;
  } finally {
    Deno.removeSync(stamp);
  }
}

if (import.meta.main) Deno.exit(main(Deno.args));
