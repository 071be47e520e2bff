import assert from "node:assert/strict";
import { MANIFEST_LIMITS } from "./limits.ts";
import { loadPaths } from "./source.ts";
import { summaries } from "./testing.ts";

function service(name: string): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\n`;
}

/** Runs `test` in a directory with these files; paths are relative to it, as a user would write them. */
async function inDirectory(
  files: Readonly<Record<string, string | Uint8Array>>,
  test: () => Promise<void>,
): Promise<void> {
  const before = Deno.cwd();
  const directory = await Deno.makeTempDir();
  try {
    Deno.chdir(directory);
    for (const [name, content] of Object.entries(files)) {
      const slash = name.lastIndexOf("/");
      if (slash > 0) await Deno.mkdir(name.slice(0, slash), { recursive: true });
      if (typeof content === "string") await Deno.writeTextFile(name, content);
      else await Deno.writeFile(name, content);
    }
    await test();
  } finally {
    Deno.chdir(before);
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("loadPaths: files and directories by name, called as the user calls them", async () => {
  const files = {
    "b.yaml": service("b"),
    "m/2.yml": service("two"),
    "m/1.json": '{"apiVersion":"v1","kind":"Service","metadata":{"name":"one"}}',
    "m/readme.md": "no manifest",
    "m/weft.local.yaml": "run: {}",
    "m/deeper/3.yaml": service("three"),
  };
  await inDirectory(files, async () => {
    const loaded = await loadPaths(["b.yaml", "m/"]);
    assert.deepEqual(loaded.files, ["b.yaml", "m/1.json", "m/2.yml"]);
    assert.deepEqual(loaded.findings, []);
    assert.equal(loaded.objects, 3);
    assert.deepEqual(loaded.snapshot.services.map(({ meta }) => meta.origin.locate([])?.file), [
      "b.yaml",
      "m/1.json",
      "m/2.yml",
    ]);
    const recursive = await loadPaths(["."], { recursive: true });
    assert.deepEqual(recursive.files, ["./b.yaml", "./m/1.json", "./m/2.yml", "./m/deeper/3.yaml"]);
  });
});

Deno.test("loadPaths: what cannot be read is a finding, and the rest counts", async () => {
  const files = {
    "good.yaml": service("good"),
    "empty/readme.md": "",
    "latin.yaml": new Uint8Array([0x61, 0x3a, 0x20, 0xe9]),
  };
  await inDirectory(files, async () => {
    const loaded = await loadPaths(["missing.yaml", "empty", "latin.yaml", "-", "good.yaml"]);
    assert.deepEqual(summaries(loaded), [
      "source-unreadable - missing.yaml:1:1",
      "source-unreadable - empty:1:1",
      "source-unreadable - latin.yaml:1:1",
      "source-unreadable - -:1:1",
    ]);
    assert.deepEqual(loaded.files, ["good.yaml"]);
    assert.equal(loaded.objects, 1);
  });
});

Deno.test("loadPaths: standard input, once, and the default namespace", async () => {
  let reads = 0;
  const stdin = () => {
    reads++;
    return Promise.resolve(
      `${service("a")}---\n${service("b").replace("b}", "b, namespace: own}")}`,
    );
  };
  const loaded = await loadPaths(["-", "-"], { stdin, defaultNamespace: "given" });
  assert.equal(reads, 1);
  assert.deepEqual(loaded.files, ["-"]);
  assert.deepEqual(loaded.snapshot.services.map(({ meta }) => meta.namespace), ["given", "own"]);
  assert.deepEqual(loaded.snapshot.services[1]?.meta.origin.locate(["metadata", "name"]), {
    file: "-",
    line: 7,
    column: 12,
  });
});

Deno.test("loadPaths: a standard input that fails is a finding", async () => {
  const loaded = await loadPaths(["-"], { stdin: () => Promise.reject(new Error("closed")) });
  assert.deepEqual(summaries(loaded), ["source-unreadable - -:1:1"]);
});

Deno.test("loadPaths: linked files are read, linked directories are not followed", async () => {
  await inDirectory({ "m/data/a.yaml": service("a") }, async () => {
    await Deno.symlink("data/a.yaml", "m/a.yaml");
    await Deno.symlink("../m", "m/again");
    await Deno.symlink("nowhere.yaml", "m/broken.yaml");
    const loaded = await loadPaths(["m"], { recursive: true });
    assert.deepEqual(loaded.files, ["m/a.yaml", "m/data/a.yaml"]);
    assert.deepEqual(summaries(loaded), [
      "source-unreadable - m/broken.yaml:1:1",
      "resource-duplicate - m/data/a.yaml:1:1",
    ]);
  });
});

Deno.test("loadPaths: a file over the limit is not read, the others are", async () => {
  await inDirectory({ "good.yaml": service("good"), "large.yaml": "" }, async () => {
    await Deno.truncate("large.yaml", MANIFEST_LIMITS.fileBytesMax + 1);
    const loaded = await loadPaths(["large.yaml", "good.yaml"]);
    assert.deepEqual(summaries(loaded), ["limit-exceeded - large.yaml:1:1"]);
    assert.deepEqual(loaded.files, ["good.yaml"]);
  });
});

Deno.test({
  name: "loadPaths: needs leave to read and nothing else",
  permissions: { read: ["./testdata/", "./crds/"].map((path) => new URL(path, import.meta.url)) },
  async fn() {
    const path =
      new URL("./testdata/guide/8-splits-by-route.httpbin.yaml", import.meta.url).pathname;
    const loaded = await loadPaths([path, "/forbidden.yaml"]);
    assert.equal(loaded.snapshot.trafficSplits.length, 2);
    assert.deepEqual(summaries(loaded), ["source-unreadable - /forbidden.yaml:1:1"]);
  },
});

Deno.test("standard input without a manifest is an error: what was to write it has failed", async () => {
  for (const text of ["", "\n", "# nothing\n---\n  # more\n---\n"]) {
    const { findings } = await loadPaths(["-"], { stdin: () => Promise.resolve(text) });
    const [{ code, severity, message }] = findings;
    assert.deepEqual([code, severity], ["source-unreadable", "error"]);
    assert.match(message, /Standard input has no manifest/);
  }
  const text = "# a list\n---\napiVersion: v1\nkind: List\nitems: []\n";
  const { findings } = await loadPaths(["-"], { stdin: () => Promise.resolve(text) });
  assert.deepEqual(findings, []);
});
