// Tests of the watch on real files; each waits for the event, not for time.
import assert from "node:assert/strict";
import { basename } from "node:path";
import { watchPaths } from "./watch.ts";
import { soon } from "../tests/support/until.ts";

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
    return [...new Set((await soon("a change", told.promise)).map((path) => basename(path)))]
      .sort();
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

/** Watches `target`, and runs steps one after another: each has to be told of before the next is taken. */
async function followSteps(
  target: string,
  steps: readonly (() => void)[],
  onLost?: (error: unknown) => void,
): Promise<void> {
  let told = Promise.withResolvers<void>();
  const watch = watchPaths([target], {
    recursive: false,
    onChange: () => told.resolve(),
    ...(onLost === undefined ? {} : { onLost }),
  });
  try {
    for (const step of steps) {
      told = Promise.withResolvers();
      step();
      await soon("a change", told.promise);
    }
  } finally {
    watch.stop();
  }
}

function inFolder(test: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = Deno.makeTempDirSync();
    try {
      await test(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  };
}

Deno.test(
  "watch: a directory that comes later, goes and comes again is told of, and so is what changes in it",
  inFolder(async (folder) => {
    const target = `${folder}/manifests`;
    const write = () => Deno.writeTextFileSync(`${target}/a.yaml`, `a: ${Math.random()}\n`);
    const remove = () => Deno.removeSync(target, { recursive: true });
    const replace = () => {
      remove();
      Deno.mkdirSync(target);
    };
    const come = () => Deno.mkdirSync(target);
    await followSteps(target, [come, write, write, remove, come, write, replace, write]);
  }),
);

Deno.test(
  "watch: a file becomes a directory and a file again",
  inFolder(async (folder) => {
    const target = `${folder}/manifests`;
    const writeFile = () => Deno.writeTextFileSync(target, `a: ${Math.random()}\n`);
    const remove = () => Deno.removeSync(target, { recursive: true });
    const come = () => Deno.mkdirSync(target);
    const writeIn = () => Deno.writeTextFileSync(`${target}/a.yaml`, "a: 1\n");
    await followSteps(target, [writeFile, remove, come, writeIn, remove, writeFile, writeFile]);
  }),
);

Deno.test(
  "watch: it says so where nothing is left to watch",
  inFolder(async (folder) => {
    const lost = Promise.withResolvers<unknown>();
    Deno.mkdirSync(`${folder}/etc`);
    const remove = () => Deno.removeSync(`${folder}/etc`, { recursive: true });
    await followSteps(`${folder}/etc/plan.json`, [remove], lost.resolve);
    assert.ok(await soon("the loss", lost.promise) instanceof Error);
  }),
);
