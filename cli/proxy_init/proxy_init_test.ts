// Tests of `weft proxy-init --dry-run`: the rules that would be written, kept as transcripts, and what is refused.
import assert from "node:assert/strict";
import { run } from "../run.ts";
import { assertGolden } from "../testing.ts";
import { testEnvironment } from "../../console/testing.ts";

async function dryRun(...argv: string[]): Promise<string> {
  const environment = testEnvironment();
  assert.equal(await run(["proxy-init", "--dry-run", ...argv], environment), 0);
  assert.equal(environment.stderr.text(), "");
  return environment.stdout.text();
}

/** The rules of one IP version, without chains and commands. */
async function rules(...argv: string[]): Promise<string[]> {
  return (await dryRun("--ip-version", "4", ...argv)).split("\n").filter((line) =>
    /^-A/.test(line)
  );
}

Deno.test("proxy-init: both IP versions, all defaults", async () => {
  assertGolden("proxy_init.txt", await dryRun());
});

Deno.test("proxy-init: every list, other ports and ids", async () => {
  assertGolden(
    "proxy_init_lists.txt",
    await dryRun(
      "--outbound-port=25001",
      "--inbound-port=25003",
      "--proxy-uid=2000",
      "--proxy-gid=3000",
      "--outbound-port-exclusion-list=5432,8000-8010",
      "--outbound-port-inclusion-list=80, 443",
      "--outbound-ip-range-exclusion-list=169.254.169.254,fd00:1::/32",
      "--outbound-ip-range-inclusion-list=10.0.0.0/8,fd00::/8",
      "--inbound-port-exclusion-list=22",
      "--inbound-port-inclusion-list=8080",
      "--inbound-ip-range-exclusion-list=10.9.0.0/16",
      "--inbound-ip-range-inclusion-list=10.0.0.0/8",
      "--network-interface-exclusion-list=eth1,veth+",
    ),
  );
});

Deno.test("proxy-init: --clean takes the jumps away, then the chains", async () => {
  assertGolden("proxy_init_clean.txt", await dryRun("--clean", "--backend", "legacy"));
});

Deno.test("proxy-init: an inclusion list of the other IP version captures nothing of this one", async () => {
  const lines = await rules("--outbound-ip-range-inclusion-list", "fd00::/8");
  assert.deepEqual(lines.filter((line) => line.endsWith("-j WEFT_OUTBOUND_REDIRECT")), []);
});

Deno.test("proxy-init: --no-hairpin leaves the way from the proxy to its own pod alone", async () => {
  const leadsIn = (line: string) => line.startsWith("-A WEFT_OUTBOUND -o lo !");
  assert.equal((await rules()).filter(leadsIn).length, 1);
  assert.equal((await rules("--no-hairpin")).filter(leadsIn).length, 0);
});

Deno.test("proxy-init: bits after a prefix are cleared, an address alone is a range of one", async () => {
  const lines = await rules("--outbound-ip-range-exclusion-list", "10.1.2.3/12,10.1.2.3,0.0.0.0/0");
  assert.deepEqual(
    lines.filter((line) => line.includes(" -d ") && !line.includes("127.")),
    ["10.0.0.0/12", "10.1.2.3/32", "0.0.0.0/0"]
      .map((range) => `-A WEFT_OUTBOUND -d ${range} -j RETURN`),
  );
});

Deno.test("proxy-init: empty lists are no lists", async () => {
  assert.deepEqual(
    await rules("--outbound-port-exclusion-list=", "--outbound-port-inclusion-list= "),
    await rules(),
  );
});

const REFUSED: readonly (readonly [option: string, value: string])[] = [
  ["outbound-port-exclusion-list", "-1"],
  ["outbound-port-exclusion-list", "0"],
  ["outbound-port-exclusion-list", "65536"],
  ["outbound-port-exclusion-list", "80,x,443"],
  ["outbound-port-inclusion-list", "443-80"],
  ["inbound-port-exclusion-list", "http"],
  ["inbound-port-inclusion-list", "80;rm"],
  ["outbound-ip-range-exclusion-list", "10.0.0.0/33"],
  ["outbound-ip-range-inclusion-list", "10.0.0/8"],
  ["inbound-ip-range-exclusion-list", "fd00::/129"],
  ["inbound-ip-range-inclusion-list", "example.test"],
  ["network-interface-exclusion-list", "-eth0"],
  ["network-interface-exclusion-list", "a b"],
  ["network-interface-exclusion-list", "sixteen-letters-"],
  ["outbound-port", "0"],
  ["proxy-uid", "proxy"],
  ["proxy-gid", "4294967295"],
  ["ip-version", "5"],
  ["backend", "ebtables"],
];

for (const [option, value] of REFUSED) {
  Deno.test(`proxy-init: --${option}=${value} is refused with exit code 2`, async () => {
    const environment = testEnvironment();
    const argv = ["proxy-init", "--dry-run", `--${option}=${value}`];
    assert.equal(await run(argv, environment), 2);
    assert.equal(environment.stdout.text(), "");
    const [complaint] = environment.stderr.text().split("\n");
    assert.match(complaint, /^weft: /);
    assert.ok(complaint.includes(value.split(",").at(-2) ?? value), complaint);
  });
}

Deno.test("proxy-init: two listeners cannot have one port", async () => {
  const environment = testEnvironment();
  assert.equal(await run(["proxy-init", "--dry-run", "--inbound-port=15001"], environment), 2);
  assert.match(environment.stderr.text(), /same port/);
});

/** A process that finds no iptables but one that notes each call: the machine's own is never touched. */
async function withNotedIptables(
  use: (
    run: (argv: readonly string[], env?: Record<string, string>) => Promise<Outcome>,
  ) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  const calls = `${directory}/calls`;
  try {
    for (const program of ["iptables", "iptables-restore", "ip6tables", "ip6tables-restore"]) {
      // A look at what is there is no call.
      const script = `#!/bin/sh\ncase "$*" in *" -L "*) exit 1 ;; esac\necho "$0" >>${calls}\n`;
      await Deno.writeTextFile(`${directory}/${program}`, script, { mode: 0o755 });
    }
    await use(async (argv, env = {}) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          new URL("../../main.ts", import.meta.url).pathname,
          ...argv,
        ],
        env: { PATH: directory, HOME: Deno.env.get("HOME") ?? "", ...env },
        clearEnv: true,
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      const called = await Deno.readTextFile(calls).then(() => true, () => false);
      await Deno.remove(calls).catch(() => {});
      return { code, stdout: text(stdout), stderr: text(stderr), called };
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Some iptables was called. */
  readonly called: boolean;
}

Deno.test({
  name: "proxy-init: by hand on a machine it asks for --yes, and says how to undo it",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withNotedIptables(async (weft) => {
      const refused = await weft(["proxy-init", "--backend", "default", "--ip-version", "4"]);
      assert.deepEqual([refused.code, refused.called, refused.stdout], [2, false, ""]);
      assert.match(
        refused.stderr,
        /^weft: .*machine would be captured\n {2}Add --yes .* undo it: weft proxy-init --clean --ip-version 4\. .*--dry-run/,
      );
      const done = await weft(["proxy-init", "--yes"]);
      assert.deepEqual([done.code, done.called], [0, true], done.stderr);
      assert.match(done.stdout, /^Capture of .*\nTo undo it: weft proxy-init --clean\n$/);
    }),
});
