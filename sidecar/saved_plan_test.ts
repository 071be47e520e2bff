// The last good plan outlives its source and the proxy: files that go, are cut short or replaced, and restarts without them.
import assert from "node:assert/strict";
import { formatAge } from "./follow_plan.ts";
import {
  planText,
  requestThrough,
  type RunningSidecar,
  startApplication,
  startSidecar,
  startWaiting,
  testInFolder,
} from "./sidecar_for_test.ts";

type Asked = Omit<RunningSidecar, "outbound">;

async function stop(sidecar: Asked): Promise<void> {
  sidecar.environment.sendStopSignal("SIGINT");
  assert.equal(await sidecar.code, 0);
}

async function ask({ admin }: Asked, path: string): Promise<[Response, string]> {
  const response = await fetch(`http://127.0.0.1:${admin}${path}`);
  return [response, await response.text()];
}

async function metric(sidecar: Asked, name: string): Promise<string | undefined> {
  const [, text] = await ask(sidecar, "/metrics");
  return new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1];
}

const WEB = "web.app";

testInFolder(
  "saved plan: a proxy starts with it while its source is gone or broken",
  async (folder) => {
    const application = startApplication("one");
    const [file, state] = [`${folder}/plan.json`, `${folder}/var/state`];
    const argv = ["--plan", file, "--state-dir", state];
    Deno.writeTextFileSync(file, await planText(application.port));
    const first = await startSidecar(argv);
    assert.equal((await requestThrough(first.outbound, WEB)).body, "one");
    await stop(first);
    const saved = Deno.statSync(`${state}/plan.json`);
    assert.equal(Deno.readTextFileSync(`${state}/plan.json`), Deno.readTextFileSync(file).trim());
    const second = await startSidecar(argv);
    await stop(second);
    assert.deepEqual(
      Deno.statSync(`${state}/plan.json`).mtime,
      saved.mtime,
      "what an earlier run used is held from the start",
    );
    if (Deno.build.os !== "windows") assert.equal((saved.mode ?? 0) & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(state)].map(({ name }) => name), ["plan.json"]);

    for (const source of [null, "{", Deno.readTextFileSync(file).replace('"app"', '"ap"')]) {
      if (source === null) Deno.removeSync(file);
      else Deno.writeTextFileSync(file, source);
      const sidecar = await startSidecar(argv);
      const { hash } = JSON.parse(Deno.readTextFileSync(`${state}/plan.json`));
      const finding = sidecar.environment.stderr.text().split("\n").find((line) =>
        /plan-restored/.test(line)
      );
      assert.match(finding ?? "", new RegExp(`Plan ${hash.slice(0, 12)}, saved \\d+ (s|min) ago`));
      assert.equal((await requestThrough(sidecar.outbound, WEB)).body, "one");
      assert.equal((await ask(sidecar, "/readyz"))[0].status, 200);
      const [{ headers }, text] = await ask(sidecar, "/plan");
      assert.equal(JSON.parse(text).hash, hash);
      assert.equal(headers.get("x-weft-plan-source"), "saved");
      assert.equal(headers.get("x-weft-plan-saved-at"), saved.mtime?.toISOString());
      assert.equal(await metric(sidecar, "weft_plan_restored"), "1");
      await stop(sidecar);
    }
    assert.deepEqual(
      Deno.statSync(`${state}/plan.json`).mtime,
      saved.mtime,
      "it was not written again",
    );
    await application.server.shutdown();
  },
);

testInFolder("saved plan: a source that comes back counts again", async (folder) => {
  const [one, two] = [startApplication("one"), startApplication("two")];
  const [file, state] = [`${folder}/source/plan.json`, `${folder}/state`];
  Deno.mkdirSync(state);
  Deno.writeTextFileSync(`${state}/plan.json`, await planText(one.port));
  // Neither the file nor its folder is there.
  const sidecar = await startSidecar(["--plan", file, "--state-dir", state]);
  assert.equal((await requestThrough(sidecar.outbound, WEB)).body, "one");
  Deno.mkdirSync(`${folder}/source`);
  Deno.writeTextFileSync(file, await planText(two.port));
  await sidecar.environment.stderr.until(/Plan applied/);
  assert.equal((await requestThrough(sidecar.outbound, WEB)).body, "two");
  assert.equal((await ask(sidecar, "/plan"))[0].headers.get("x-weft-plan-source"), "current");
  assert.equal(await metric(sidecar, "weft_plan_restored"), "0");
  await stop(sidecar);
  assert.equal(
    Deno.readTextFileSync(`${state}/plan.json`),
    Deno.readTextFileSync(file).trim(),
    "it was saved before the proxy ended",
  );
  await Promise.all([one.server.shutdown(), two.server.shutdown()]);
});

testInFolder("saved plan: one that was damaged is not served; the proxy waits", async (folder) => {
  const text = await planText(1);
  const argv = ["--plan", `${folder}/none.json`, "--state-dir", folder];
  for (
    const [saved, complaint] of [
      [null, /no such file\. No plan is saved in /],
      ["", /no such file\. Cannot use the saved plan .*plan\.json.*: The plan is not JSON/],
      [text.slice(0, text.length / 2), /plan\.json.*: The plan is not JSON/],
      [text.replace('"address":"127.0.0.1"', '"address":"127.0.0.2"'), /has hash/],
    ] as const
  ) {
    if (saved !== null) Deno.writeTextFileSync(`${folder}/plan.json`, saved);
    const sidecar = await startWaiting(argv);
    assert.match(sidecar.environment.stderr.text(), complaint);
    assert.match((await ask(sidecar, "/readyz"))[1], complaint);
    await stop(sidecar);
  }
});

testInFolder(
  "saved plan: where it cannot be written the proxy serves all the same",
  async (folder) => {
    const [one, two] = [startApplication("one"), startApplication("two")];
    const file = `${folder}/plan.json`;
    Deno.writeTextFileSync(file, await planText(one.port));
    // No directory can be made below a file; that also stops root, which modes do not.
    const argv = ["--plan", file, "--state-dir", `${file}/state`];
    const sidecar = await startSidecar(argv);
    await sidecar.environment.stderr.until(/plan-not-saved/);
    assert.equal((await requestThrough(sidecar.outbound, WEB)).body, "one");
    // At the start, and when something was asked for.
    await sidecar.environment.stderr.until(/plan-not-saved[^]*plan-not-saved/);
    assert.equal(await metric(sidecar, "weft_plan_save_failures_total"), "2");
    assert.equal(await metric(sidecar, "weft_plan_saved_timestamp_seconds"), undefined);
    assert.equal((await ask(sidecar, "/plan"))[0].headers.get("x-weft-plan-saved-at"), null);
    Deno.writeTextFileSync(file, await planText(two.port));
    await sidecar.environment.stderr.until(/(plan-not-saved[^]*){3}/);
    assert.equal((await requestThrough(sidecar.outbound, WEB)).body, "two");
    await stop(sidecar);
    await Promise.all([one.server.shutdown(), two.server.shutdown()]);
  },
);

testInFolder("plan file: deleted, cut short, and mounted from a ConfigMap", async (folder) => {
  const applications = ["one", "two", "three"].map((name) => startApplication(name));
  const texts = await Promise.all(applications.map(({ port }) => planText(port)));
  // As the kubelet lays out a volume: the file leads through `..data` to a folder that is replaced whole.
  const version = (name: string, text: string) => {
    Deno.mkdirSync(`${folder}/..${name}`);
    Deno.writeTextFileSync(`${folder}/..${name}/plan.json`, text);
    Deno.symlinkSync(`..${name}`, `${folder}/..data_tmp`);
    Deno.renameSync(`${folder}/..data_tmp`, `${folder}/..data`);
  };
  version("first", texts[0]);
  const file = `${folder}/plan.json`;
  Deno.symlinkSync("..data/plan.json", file);
  const sidecar = await startSidecar(["--plan", file]);
  const { environment, outbound } = sidecar;
  const answers = async () => (await requestThrough(outbound, WEB)).body;
  assert.equal(await answers(), "one");
  version("second", texts[1]);
  await environment.stderr.until(/Plan applied/);
  assert.equal(await answers(), "two");

  Deno.removeSync(file);
  await environment.stderr.until(/Plan kept.*no such file/);
  assert.equal(await answers(), "two");
  Deno.writeTextFileSync(file, texts[2].slice(0, 100));
  await environment.stderr.until(/Plan kept.*not JSON/);
  assert.equal(await answers(), "two");
  Deno.writeTextFileSync(file, texts[2].slice(100), { append: true });
  await environment.stderr.until(/Plan applied[^]*Plan applied/);
  assert.equal(await answers(), "three");
  await stop(sidecar);
  await Promise.all(applications.map(({ server }) => server.shutdown()));
});

Deno.test("saved plan: its age in the largest unit that fits", () => {
  const second = 1_000;
  const ages = [-5, 0, 59, 60, 3_599, 3_600, 86_399, 86_400, 9 * 86_400];
  assert.deepEqual(
    ages.map((age) => formatAge(age * second)),
    ["0 s", "0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "9 d"],
  );
});
