// Tests of watch.ts on a real file system: the ways in which files change under a program.
import assert from "node:assert/strict";
import { watchPaths } from "./watch.ts";

/** Watches `paths` in a fresh folder while `change` runs, and resolves at the first call. */
async function untilChanged(
  given: { files: Record<string, string>; watch: (folder: string) => string[] },
  change: (folder: string) => void,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  for (const [name, text] of Object.entries(given.files)) {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
  }
  const called = Promise.withResolvers<void>();
  const watch = watchPaths({
    paths: given.watch(folder),
    recursive: false,
    settleMs: 10,
    onChange: () => Promise.resolve(called.resolve()),
  });
  try {
    change(folder);
    await called.promise;
  } finally {
    await watch.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("watchPaths calls after a file was written in place", () =>
  untilChanged(
    { files: { "a.yaml": "1" }, watch: (folder) => [`${folder}/a.yaml`] },
    (folder) => Deno.writeTextFileSync(`${folder}/a.yaml`, "2"),
  ));

Deno.test("watchPaths calls after a file was replaced, as editors do", () =>
  untilChanged(
    { files: { "a.yaml": "1" }, watch: (folder) => [`${folder}/a.yaml`] },
    (folder) => {
      Deno.writeTextFileSync(`${folder}/a.tmp`, "2");
      Deno.renameSync(`${folder}/a.tmp`, `${folder}/a.yaml`);
    },
  ));

Deno.test("watchPaths calls after a file appeared in a watched directory", () =>
  untilChanged(
    { files: {}, watch: (folder) => [folder] },
    (folder) => Deno.writeTextFileSync(`${folder}/b.yaml`, "1"),
  ));

Deno.test("watchPaths: a change during a call leads to one more call, never to two at once", async () => {
  const folder = Deno.makeTempDirSync();
  const file = `${folder}/a.yaml`;
  Deno.writeTextFileSync(file, "0");
  const secondWriteSeen = Promise.withResolvers<void>();
  const calledTwice = Promise.withResolvers<void>();
  let running = 0;
  let calls = 0;
  const watch = watchPaths({
    paths: [file],
    recursive: false,
    settleMs: 1,
    onChange: async () => {
      assert.equal(++running, 1);
      if (++calls === 1) {
        Deno.writeTextFileSync(file, "22");
        // This call is still under way when the other watch, with the same delay, has heard of the write.
        await secondWriteSeen.promise;
      }
      running--;
      if (calls === 2) calledTwice.resolve();
    },
  });
  const other = watchPaths({
    paths: [file],
    recursive: false,
    settleMs: 1,
    onChange: () => {
      if (Deno.readTextFileSync(file) === "22") secondWriteSeen.resolve();
      return Promise.resolve();
    },
  });
  Deno.writeTextFileSync(file, "1");
  await calledTwice.promise;
  await Promise.all([watch.close(), other.close()]);
  Deno.removeSync(folder, { recursive: true });
});
