// `weft up` and real curl: the whole guide while its files are edited in place and wrk is running; not one request may
// fail. Then a broken edit.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { hasCommand } from "../support/commands.ts";
import { curl, startUp, type UpMesh } from "./weft_process.ts";

const STEPS = fileURLToPath(new URL("../../examples/canary/steps", import.meta.url));
const ROOT = "http://httpbin.httpbin:8080";
const V1 = "Hi, I am v1!\n";
const V2 = "Hi, I am v2!\n";

/** The manifests of a user: a directory that the steps are copied into. */
class Manifests {
  readonly directory = Deno.makeTempDirSync({ prefix: "weft-e2e-" });

  /** Copies a step's files over those that are there, writing into them in place. */
  apply(step: string): void {
    for (const { name } of Deno.readDirSync(`${STEPS}/${step}`)) {
      Deno.copyFileSync(`${STEPS}/${step}/${name}`, `${this.directory}/${name}`);
    }
  }

  remove(): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Does `edit` and waits until the mesh says that it serves the outcome. */
async function edit({ weft }: UpMesh, change: () => void): Promise<void> {
  const from = weft.output.length;
  change();
  await weft.printed(/plan [0-9a-f]{12} is served: .*\n/, from);
}

function sidecar(mesh: UpMesh, namespace: string): string {
  const place = mesh.sidecars.get(namespace);
  assert.ok(place !== undefined, `No sidecar for ${namespace}`);
  return place;
}

/** Load in the background until `stop`, which gives what wrk counted. */
class Load {
  readonly #wrk: Deno.ChildProcess;

  constructor(place: string) {
    this.#wrk = new Deno.Command("wrk", {
      args: [
        "--threads=1",
        "--connections=8",
        "--duration=120s",
        "--timeout=20s",
        "--header=Host: httpbin.httpbin:8080",
        `http://${place}/test`,
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async stop(): Promise<{ requests: number; report: string }> {
    this.#wrk.kill("SIGINT");
    const { stdout } = await this.#wrk.output();
    const report = new TextDecoder().decode(stdout);
    return { requests: Number(/(\d+) requests in/.exec(report)?.[1] ?? 0), report };
  }
}

/** The guide's requests at each step, by a client in namespace curl, while the files change under the mesh. */
async function walk(mesh: UpMesh, manifests: Manifests): Promise<void> {
  const client = sidecar(mesh, "curl");
  const four = (path: string) => curl(client, new Array(4).fill(`${ROOT}${path}`));
  assert.equal(await four(""), V1.repeat(4));
  await edit(mesh, () => manifests.apply("02-split-all-to-v1"));
  assert.equal(await four(""), V1.repeat(4));
  await edit(mesh, () => manifests.apply("03-deploy-v2"));
  assert.equal(await four(""), V1.repeat(4));
  await edit(mesh, () => manifests.apply("04-send-a-quarter-to-v2"));
  assert.equal(await four(""), V1 + V2 + V1 + V1);
  await edit(mesh, () => manifests.apply("05-only-under-test"));
  assert.equal(await four("/test"), V1 + V2 + V1 + V1);
  assert.equal(await four("/demo"), V1.repeat(4));
  // Past the guide's end: v2 is taken away while requests are on their way to it.
  await edit(mesh, () => Deno.removeSync(`${manifests.directory}/httpbin-v2.yaml`));
  assert.equal(await four("/test"), V1.repeat(4));
  await mesh.weft.printed(/httpbin\/httpbin-v2-0 stopped/);
  // And back and forth, at times before the last one has been stopped.
  for (let i = 0; i < 5; i++) {
    await edit(mesh, () => manifests.apply("03-deploy-v2"));
    assert.equal((await four("/test")).match(/v2/g)?.length, 1);
    await edit(mesh, () => Deno.removeSync(`${manifests.directory}/httpbin-v2.yaml`));
  }
}

const hasCurl = hasCommand("curl");
const hasWrk = hasCommand("wrk");

for (const driver of ["native", "portable"]) {
  Deno.test({
    name: `up: the guide with curl while files are edited${
      hasWrk ? " and wrk is running" : ", without load: wrk is not installed"
    } (${driver} driver)`,
    ignore: !hasCurl || (driver === "native" && Deno.build.os !== "linux"),
    async fn() {
      const manifests = new Manifests();
      manifests.apply("01-deploy-v1");
      const mesh = await startUp(["-f", manifests.directory, "--driver", driver]);
      try {
        // Through another sidecar than curl's, whose sequence must stay its own.
        const load = hasWrk ? new Load(sidecar(mesh, "httpbin")) : null;
        await walk(mesh, manifests);
        if (load !== null) {
          const { requests, report } = await load.stop();
          assert.ok(requests > 100, report);
          assert.doesNotMatch(report, /Non-2xx|Socket errors/, report);
        }
      } finally {
        assert.equal(await mesh.weft.stop(), 0, mesh.weft.output);
        manifests.remove();
      }
      assert.match(mesh.weft.output, new RegExp(`${driver} driver`));
      assert.doesNotMatch(mesh.weft.output, /Uncaught|at file:|failed:/);
    },
  });
}

Deno.test({
  name: "up: a broken edit is reported with its place and changes nothing",
  ignore: !hasCurl,
  async fn() {
    const manifests = new Manifests();
    for (const step of ["01-deploy-v1", "02-split-all-to-v1", "03-deploy-v2"]) {
      manifests.apply(step);
    }
    manifests.apply("04-send-a-quarter-to-v2");
    const mesh = await startUp(["-f", manifests.directory]);
    const splits = `${manifests.directory}/splits.yaml`;
    const good = Deno.readTextFileSync(splits);
    const four = () => curl(sidecar(mesh, "curl"), new Array(4).fill(ROOT));
    try {
      assert.equal(await four(), V1 + V2 + V1 + V1);
      for (
        const [broken, code] of [
          [good.replace("backends:", "backends"), "yaml-syntax"],
          [good.replace("weight: 75", "weight: 7.5"), "schema-invalid"],
        ]
      ) {
        const from = mesh.weft.output.length;
        Deno.writeTextFileSync(splits, broken);
        await mesh.weft.printed(
          new RegExp(`not applied[^]*splits\\.yaml:\\d+:\\d+ error ${code}`),
          from,
        );
        assert.equal(await four(), V1 + V2 + V1 + V1);
      }
      await edit(
        mesh,
        () => Deno.writeTextFileSync(splits, good.replace("weight: 25", "weight: 0")),
      );
      assert.equal(await four(), V1.repeat(4));
    } finally {
      assert.equal(await mesh.weft.stop("SIGINT"), 0, mesh.weft.output);
      manifests.remove();
    }
  },
});
