// Tests of the watch on real files; each waits for the event, not for time.
import assert from "node:assert/strict";
import { basename } from "node:path";
import { watchPaths } from "./watch.ts";

/** Runs `change` under a watch and resolves with the names that were told of. */
async function changesOf(
  target: (directory: string) => string,
  change: (directory: string) => void,
  recursive = false,
): Promise<string[]> {
  const directory = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${directory}/a.yaml`, "a: 1\n");
  Deno.mkdirSync(`${directory}/sub`);
  const told = Promise.withResolvers<readonly string[]>();
  const watch = watchPaths([target(directory)], { recursive, onChange: told.resolve });
  try {
    change(directory);
    return [...new Set((await told.promise).map((path) => basename(path)))].sort();
  } finally {
    watch.stop();
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("watch: a burst of writes is one change", async () => {
  const names = await changesOf((directory) => directory, (directory) => {
    Deno.writeTextFileSync(`${directory}/a.yaml`, "");
    Deno.writeTextFileSync(`${directory}/a.yaml`, "a: 2\n");
    Deno.writeTextFileSync(`${directory}/b.yaml`, "b: 1\n");
  });
  assert.deepEqual(names, ["a.yaml", "b.yaml"]);
});

Deno.test("watch: one file, replaced as editors do", async () => {
  const names = await changesOf((directory) => `${directory}/a.yaml`, (directory) => {
    Deno.writeTextFileSync(`${directory}/.a.yaml.new`, "a: 2\n");
    Deno.renameSync(`${directory}/.a.yaml.new`, `${directory}/a.yaml`);
  });
  assert.ok(names.includes("a.yaml"));
});

Deno.test("watch: below a directory where asked", async () => {
  const names = await changesOf(
    (directory) => directory,
    (directory) => Deno.writeTextFileSync(`${directory}/sub/c.yaml`, "c: 1\n"),
    true,
  );
  assert.ok(names.includes("c.yaml"));
});

Deno.test("watch: reading is no change", async () => {
  const names = await changesOf((directory) => directory, (directory) => {
    Deno.readTextFileSync(`${directory}/a.yaml`);
    Deno.writeTextFileSync(`${directory}/b.yaml`, "b: 1\n");
  });
  assert.deepEqual(names, ["b.yaml"]);
});
