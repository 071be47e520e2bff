/** NodePackages: a folder in which Node finds packages of the versions that deno.json and deno.lock name. */
import settings from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);

export class NodePackages {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws {Error} they could not be put there */
  static async install(names: readonly string[]): Promise<NodePackages> {
    const path = await Deno.makeTempDir({ prefix: "weft-packages-" });
    if (names.length === 0) return new NodePackages(path);
    const known: Readonly<Record<string, string>> = settings.imports;
    const imports = Object.fromEntries(names.map((name) => [name, known[name]]));
    const text = JSON.stringify({ nodeModulesDir: "auto", imports });
    await Deno.writeTextFile(`${path}/deno.json`, text);
    await Deno.copyFile(new URL("deno.lock", ROOT), `${path}/deno.lock`);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["install"],
      cwd: path,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new NodePackages(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
