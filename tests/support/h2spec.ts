/**
 * h2spec, a conformance suite for servers of HTTP/2 (RFC 7540, RFC 7541), built with Go into a folder of its own. Where Go or the
 * module is out of reach there is none, and a reason.
 */
import assert from "node:assert/strict";

/** The newest version that module proxies have under its own path. */
const H2SPEC = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";
/** Cases of that version, the strict ones too. */
const CASES = 146;

export class H2spec implements AsyncDisposable {
  readonly #folder: string;
  /** Why it cannot be run, or empty. */
  readonly reason: string;

  private constructor(folder: string, reason: string) {
    this.#folder = folder;
    this.reason = reason;
  }

  static async build(): Promise<H2spec> {
    const folder = await Deno.makeTempDir({ prefix: "weft-h2spec-" });
    const reason = await install(folder);
    if (reason !== "") console.log(`h2spec is skipped: ${reason}`);
    return new H2spec(folder, reason);
  }

  /** Wants every case to pass against the server on this port of 127.0.0.1, but for those that are excused. */
  async check(port: number, excused: readonly string[] = []): Promise<void> {
    const run = await new Deno.Command(`${this.#folder}/h2spec`, {
      args: ["--strict", "--host", "127.0.0.1", "--port", String(port)],
    }).output();
    const report = new TextDecoder().decode(run.stdout);
    // Each failure is told twice: in its place, and at the end.
    const failed = new Set(report.matchAll(/× \d+: (.*)/g).map(([, name]) => name));
    assert.deepEqual([...failed], excused, report);
    const counts = `${CASES} tests, ${CASES - excused.length} passed, 0 skipped, `;
    assert.ok(report.includes(`${counts}${excused.length} failed`), report);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Returns why it could not be built, or nothing. */
async function install(folder: string): Promise<string> {
  try {
    const go = new Deno.Command("go", {
      args: ["install", H2SPEC],
      env: { GOBIN: folder, GOFLAGS: "-mod=mod" },
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.timeout(180_000),
    });
    const { success, stderr } = await go.output();
    return success ? "" : new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "go failed";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
