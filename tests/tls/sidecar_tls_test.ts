/** `weft proxy` under TLS: certificates from files and their replacement, and what stops it from starting. */
import assert from "node:assert/strict";
import { run } from "../../cli/run.ts";
import { testEnvironment } from "../../console/testing.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import { DRIVERS, planOf } from "../support/test_proxy.ts";
import {
  HAS_OPENSSL_COMMAND,
  HAS_PORTABLE_TLS,
  type TestCertificate,
  testCertificates,
} from "./certificates.ts";

/** Replaces both files as Kubernetes and most tools do: a new file takes the old one's name. */
function install(folder: string, { chainPem, keyPem }: TestCertificate): void {
  for (const [name, text] of [["tls.crt", chainPem], ["tls.key", keyPem]]) {
    Deno.writeTextFileSync(`${folder}/${name}.new`, text);
    Deno.renameSync(`${folder}/${name}.new`, `${folder}/${name}`);
  }
}

/** The subject of the certificate that is served. */
async function subjectAt(place: string): Promise<string> {
  const { stdout } = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", place],
    stdin: "null",
    stderr: "null",
  }).output();
  return /subject=CN = (\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ?? "";
}

function commandLine(folder: string, driver: string): string[] {
  return [
    ...["--plan", `${folder}/plan.json`, "--driver", driver, "--admin", "off"],
    ...["--outbound", "127.0.0.1:0", "--inbound", "127.0.0.1:0", "--app", "127.0.0.1:9"],
    ...["--accept-timeout", "none"],
    ...["--inbound-tls-cert", `${folder}/tls.crt`, "--inbound-tls-key", `${folder}/tls.key`],
  ];
}

function makeFolder(): string {
  const folder = Deno.makeTempDirSync({ prefix: "weft-sidecar-" });
  Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([])));
  install(folder, testCertificates().server);
  return folder;
}

for (const driver of DRIVERS) {
  Deno.test({
    name: `weft proxy (${driver}): follows the files of its certificate, keeps it over bad ones`,
    ignore: !HAS_OPENSSL_COMMAND || (driver === "portable" && !HAS_PORTABLE_TLS),
    sanitizeResources: false,
    async fn() {
      const folder = makeFolder();
      const environment = testEnvironment();
      const code = run(["proxy", ...commandLine(folder, driver)], environment);
      await environment.stderr.until(/Proxy started/);
      const started = environment.stderr.text().split("\n").find((line) => /started/.test(line));
      const { inbound } = JSON.parse(started ?? "");
      assert.equal(await subjectAt(inbound), "server");

      install(folder, testCertificates().renewed);
      await environment.stderr.until(/Certificates replaced/);
      assert.equal(await subjectAt(inbound), "renewed");

      Deno.writeTextFileSync(`${folder}/tls.key`, testCertificates().server.keyPem);
      await environment.stderr.until(
        /Certificates kept.*Cannot use the private key .*tls\.key.* with the/,
      );
      assert.equal(await subjectAt(inbound), "renewed");

      environment.sendStopSignal("SIGTERM");
      assert.equal(await code, 0);
      Deno.removeSync(folder, { recursive: true });
    },
  });
}

/** As Kubernetes mounts a Secret: the files are links through `..data`, which is replaced as a whole. */
function mount(folder: string, version: string, { chainPem, keyPem }: TestCertificate): void {
  Deno.mkdirSync(`${folder}/..${version}`);
  Deno.writeTextFileSync(`${folder}/..${version}/tls.crt`, chainPem);
  Deno.writeTextFileSync(`${folder}/..${version}/tls.key`, keyPem);
  Deno.symlinkSync(`..${version}`, `${folder}/..data_tmp`);
  Deno.renameSync(`${folder}/..data_tmp`, `${folder}/..data`);
}

Deno.test({
  name: "weft proxy: follows a Secret that Kubernetes replaces, in one step",
  ignore: !HAS_OPENSSL_COMMAND || Deno.build.os === "windows",
  sanitizeResources: false,
  async fn() {
    const folder = Deno.makeTempDirSync({ prefix: "weft-sidecar-" });
    Deno.writeTextFileSync(`${folder}/plan.json`, encodePlan(planOf([])));
    const { server, renewed } = testCertificates();
    mount(folder, "1", server);
    for (const name of ["tls.crt", "tls.key"]) {
      Deno.symlinkSync(`..data/${name}`, `${folder}/${name}`);
    }
    const environment = testEnvironment();
    const code = run(["proxy", ...commandLine(folder, "auto")], environment);
    await environment.stderr.until(/Proxy started/);
    const started = environment.stderr.text().split("\n").find((line) => /started/.test(line));
    const { inbound } = JSON.parse(started ?? "");
    assert.equal(await subjectAt(inbound), "server");
    mount(folder, "2", renewed);
    await environment.stderr.until(/Certificates replaced/);
    assert.equal(await subjectAt(inbound), "renewed");
    assert.doesNotMatch(environment.stderr.text(), /Certificates kept/);
    environment.sendStopSignal("SIGTERM");
    assert.equal(await code, 0);
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test({
  name: "weft proxy: an expired certificate is said at the start, and never takes a place later",
  ignore: !HAS_OPENSSL_COMMAND,
  sanitizeResources: false,
  async fn() {
    const folder = makeFolder();
    const now = Date.now;
    // Those of the tests are good for two days.
    Date.now = () => now() + 3 * 86_400_000;
    try {
      const environment = testEnvironment();
      const code = run(["proxy", ...commandLine(folder, "auto")], environment);
      await environment.stderr.until(/Certificate has expired.*tls\.crt.*\n.*Proxy started/);
      install(folder, testCertificates().renewed);
      await environment.stderr.until(
        /Certificates kept.*the certificate .*tls\.crt.* it expired at 20/,
      );
      const started = environment.stderr.text().split("\n").find((line) => /started/.test(line));
      assert.equal(await subjectAt(JSON.parse(started ?? "").inbound), "server");
      Date.now = now;
      install(folder, testCertificates().renewed);
      await environment.stderr.until(/Certificates replaced.*inboundExpires.*20/);
      environment.sendStopSignal("SIGTERM");
      assert.equal(await code, 0);
    } finally {
      Date.now = now;
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "weft proxy: certificates that are of no use stop the start with the file's name and 1",
  ignore: !HAS_OPENSSL_COMMAND,
  async fn() {
    const folder = makeFolder();
    Deno.writeTextFileSync(`${folder}/tls.key`, testCertificates().client.keyPem);
    const environment = testEnvironment();
    assert.equal(await run(["proxy", ...commandLine(folder, "auto")], environment), 1);
    assert.match(
      environment.stderr.text(),
      /^weft: Cannot start the proxy: Cannot use the private key ".*tls\.key" with the certificate ".*tls\.crt": key values mismatch\n$/,
    );
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test({
  name: "weft proxy: without OpenSSL, TLS is refused in one line and plain HTTP goes on",
  ignore: Deno.build.os !== "linux" || !HAS_OPENSSL_COMMAND,
  async fn() {
    const folder = makeFolder();
    // A file that the loader finds first, and that is no library.
    Deno.writeTextFileSync(`${folder}/libssl.so.3`, "");
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const weft = (argv: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", "--no-check", "-A", main, "proxy", ...argv],
        env: { LD_LIBRARY_PATH: folder, NO_COLOR: "1" },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      });
    const secured = commandLine(folder, "native");
    const { code, stderr } = await weft(secured).output();
    const text = new TextDecoder().decode(stderr);
    assert.equal(code, 1, text);
    assert.match(text, /^weft: Cannot start the proxy: TLS needs OpenSSL 3 .*libssl\.so\.3.*\n$/);

    await using child = weft(secured.slice(0, secured.indexOf("--inbound-tls-cert"))).spawn();
    let log = "";
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += chunk;
      if (/Proxy started/.test(log)) child.kill("SIGKILL");
    }
    assert.match(log, /Proxy started.*"driver":"native"/);
    Deno.removeSync(folder, { recursive: true });
  },
});
