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
      "source-unreadable - latin.yaml:1:1",
      "source-unreadable - -:1:1",
      "source-unreadable - empty:1:1",
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

Deno.test("a file or a directory without a manifest is an error, one among others is not", async () => {
  const files = {
    "comments.yaml": "# to come\n---\n",
    "none.yaml": "",
    "null.json": "null",
    "d/a.yaml": "",
    "d/b.yaml": "# nothing\n",
    "some/a.yaml": "# nothing\n",
    "some/b.yaml": service("b"),
  };
  await inDirectory(files, async () => {
    for (const path of ["comments.yaml", "none.yaml", "null.json", "d"]) {
      const { findings } = await loadPaths([path]);
      assert.deepEqual(findings.map(({ code, position }) => [code, position?.file]), [
        ["source-unreadable", path],
      ]);
      assert.match(findings[0].message, /manifest/);
    }
    assert.deepEqual((await loadPaths(["some"])).findings, []);
  });
});

Deno.test("what cannot be read in a directory is the only finding about it", async () => {
  await inDirectory({ "d/latin.yaml": new Uint8Array([0x61, 0x3a, 0x20, 0xe9]) }, async () => {
    await Deno.symlink("nowhere.yaml", "d/broken.yaml");
    assert.deepEqual(summaries(await loadPaths(["d"])), [
      "source-unreadable - d/broken.yaml:1:1",
      "source-unreadable - d/latin.yaml:1:1",
    ]);
  });
  await inDirectory({ "d/a.yaml": "kind: [\n" }, async () => {
    const { findings } = await loadPaths(["d"]);
    assert.deepEqual(findings.map(({ code }) => code), ["yaml-syntax"]);
  });
});

Deno.test("the files of a Helm chart are one finding, which says what to pipe", async () => {
  const template = "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n";
  const files = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "replicas: 2\n",
    "chart/templates/service.yaml":
      `${template}{{- if .Values.more }}\n---\n${template}{{- end }}\n`,
    "chart/templates/quoted.yaml": service("a").replace("name: a", 'name: "{{ .Release.Name }}"'),
  };
  await inDirectory(files, async () => {
    for (const path of Object.keys(files)) {
      const { findings } = await loadPaths([path]);
      assert.deepEqual(findings.map(({ code, severity }) => [code, severity]), [
        ["template-unrendered", "error"],
      ], path);
      assert.match(findings[0].hint, /helm template CHART .*\| weft dry-run -f -/);
    }
    const { findings } = await loadPaths(["chart"], { recursive: true });
    assert.equal(findings.length, 1);
    assert.match(findings[0].message, /3 more/);
  });
});

Deno.test("braces of another kind of template are no chart", async () => {
  const rules =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '{{ .Values.x }}'}\n";
  const { findings } = await loadPaths(["-"], { stdin: () => Promise.resolve(rules) });
  assert.deepEqual(findings.map(({ code }) => code), ["kind-unknown"]);
});

Deno.test("a kustomization says what to pipe, with or without a kind", async () => {
  const files = {
    "a/kustomization.yaml": "resources: [web.yaml]\npatches: []\n",
    "b/kustomization.yml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    "a/web.yaml": service("web"),
    "b/web.yaml": service("web"),
  };
  await inDirectory(files, async () => {
    for (const path of ["a", "b"]) {
      const { findings, objects } = await loadPaths([path]);
      assert.equal(objects, 1);
      assert.deepEqual(findings.map(({ code }) => code), ["kustomization-not-built"]);
      assert.match(findings[0].hint, /kustomize build DIRECTORY \| weft dry-run -f -/);
    }
  });
});
