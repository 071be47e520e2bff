/** What is packed is what the system's tar unpacks. */
import { deepEqual, equal } from "node:assert/strict";
import { hasCommand, runCommand } from "../../tests/support/commands.ts";
import { packFiles } from "./tar.ts";

Deno.test({
  name: "tar: the system's own takes it",
  ignore: !hasCommand("tar"),
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      const long = "ä".repeat(1_000);
      const files = [{ path: "a/b.txt", text: long }, { path: "empty", text: "" }];
      Deno.writeFileSync(`${folder}/x.tar.gz`, await packFiles(files));
      const { code, stderr } = await runCommand("tar", [
        "-xzf",
        `${folder}/x.tar.gz`,
        "-C",
        folder,
      ]);
      equal(code, 0, stderr);
      deepEqual(files.map(({ path }) => Deno.readTextFileSync(`${folder}/${path}`)), [long, ""]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
