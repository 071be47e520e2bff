/** The chart and `weft install` make the same objects from the same values, by a real Helm: `WEFT_TEST_HELM`, or `helm` on PATH. */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { run } from "../cli/run.ts";
import { testEnvironment } from "../console/testing.ts";
import { chartFiles } from "../tools/chart.ts";
import { VALUE_KEYS } from "../controller/install/values.ts";
import { hasCommand, runCommand } from "./support/commands.ts";

const HELM = Deno.env.get("WEFT_TEST_HELM") ?? "helm";
const HAS_HELM = hasCommand(HELM);
if (!HAS_HELM) console.warn("The chart is not compared: WEFT_TEST_HELM names no helm");

/** What is asked of `weft install`, and of Helm. */
const CASES: readonly (readonly string[])[] = [
  [],
  ["enablePermissiveTrafficPolicy=false", "replicaCount=3", "imagePullSecrets={a,b}"],
  [
    ...["image=reg.example/team/weft:9", "imagePullPolicy=Always", "meshName=shop"],
    ...["controllerLogLevel=debug", "controllerCpuRequest=1", "controllerMemoryRequest=1Gi"],
    ...["controllerMemoryLimit=2Gi", "clusterDomain=corp.example", "sidecar.cpuLimit=200m"],
    ...["outboundPortExclusionList={5432,6379}", "inboundPortExclusionList=9000"],
    ...["outboundIPRangeExclusionList={10.0.0.0/8,fd00::/8}", "sidecar.nativeSidecar=never"],
    ...[
      "localProxyMode=Localhost",
      "outboundIPRangeInclusionList=10.1.0.0/16",
      "sidecar.logLevel=warn",
    ],
    ...["sidecar.accessLog=json", "sidecar.cpuRequest=20m", "sidecar.memoryRequest=50Mi"],
    "sidecar.memoryLimit=1Gi",
  ],
];

type Fields = Record<string, unknown>;

/** Objects by kind and name; keys and certificates are other ones each time, and so is the text that has them. */
function objectsIn(text: string): Map<string, unknown> {
  const objects = parseAllDocuments(text).map((document) => document.toJS() as Fields);
  return new Map(
    objects.filter((object) => object !== null).map((object) => {
      const metadata = object["metadata"] as Fields;
      return [`${object["kind"]} ${metadata["name"]}`, withoutKeys(object, "")] as const;
    }).filter(([name]) =>
      !/^(CustomResourceDefinition|Namespace) |^ConfigMap weft-values$/.test(name)
    ).sort(),
  );
}

function withoutKeys(value: unknown, key: string): unknown {
  if (/^(caBundle|controllerCa|(ca|tls)\.(crt|key))$/.test(key)) return "a key or certificate";
  if (key === "settings.json") return withoutKeys(JSON.parse(String(value)), "settings");
  if (Array.isArray(value)) return value.map((each) => withoutKeys(each, ""));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, withoutKeys(each, name)]),
  );
}

async function installed(sets: readonly string[]): Promise<string> {
  const environment = testEnvironment();
  const flags = sets.flatMap((set) => ["--set", set]);
  const code = await run(["install", "--dry-run", "-n", "mesh", ...flags], environment);
  assert.equal(code, 0, environment.stderr.text());
  return environment.stdout.text();
}

async function charted(folder: string, sets: readonly string[]): Promise<string> {
  const flags = sets.flatMap((set) => ["--set", set]);
  const args = [
    "template",
    "weft",
    `${folder}/weft`,
    "-n",
    "mesh",
    "--kube-version",
    "1.36.0",
    ...flags,
  ];
  const { code, stdout, stderr } = await runCommand(HELM, args);
  assert.equal(code, 0, stderr);
  return stdout;
}

Deno.test("chart: every value has a place in its template", () => {
  const files = chartFiles();
  const text = files["templates/weft.yaml"];
  assert.ok(!text.includes("__"), "a mark was left");
  for (const key of VALUE_KEYS.filter((each) => !/^image\./.test(each))) {
    assert.ok(text.includes(`.Values.${key}`), key);
    assert.match(files["values.yaml"], new RegExp(`^ *${key.replace(/.*\./, "")}:`, "m"));
  }
});

Deno.test({
  name: "chart: a real Helm makes of it what weft install makes",
  ignore: !HAS_HELM,
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      for (const [path, text] of Object.entries(chartFiles())) {
        const file = `${folder}/weft/${path}`;
        Deno.mkdirSync(file.replace(/\/[^/]*$/, ""), { recursive: true });
        Deno.writeTextFileSync(file, text);
      }
      const { code, stdout } = await runCommand(HELM, ["lint", `${folder}/weft`]);
      assert.equal(code, 0, stdout);
      for (const sets of CASES) {
        assert.deepEqual(objectsIn(await charted(folder, sets)), objectsIn(await installed(sets)));
      }
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
