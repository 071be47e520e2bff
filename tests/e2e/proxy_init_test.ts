/**
 * `weft proxy-init` against a real kernel: the rules are taken, running it twice changes nothing, and `--clean` leaves no trace.
 * Needs root, `ip` and iptables, and says so where they are missing.
 */
import assert from "node:assert/strict";
import { run } from "../../cli/run.ts";
import { testEnvironment } from "../../console/testing.ts";
import { labObstacle, NetworkLab } from "../support/network_lab.ts";

const obstacle = labObstacle(["iptables", "ip6tables", "setpriv"]);
const why = obstacle === null ? "" : ` (skipped: ${obstacle})`;

async function script(...argv: string[]): Promise<string> {
  const environment = testEnvironment();
  assert.equal(await run(["proxy-init", "--dry-run", ...argv], environment), 0);
  return environment.stdout.text();
}

/** The nat tables without counters and comments. */
async function natOf(lab: NetworkLab, backend: string): Promise<string> {
  const saved = await Promise.all(
    ["iptables", "ip6tables"].map((program) =>
      lab.run("pod", `${program}-${backend}-save`, ["-t", "nat"])
    ),
  );
  return saved.join("").replace(/^#.*\n/gm, "").replace(/\[\d+:\d+\]/g, "");
}

/** The words of a rule in one order: iptables prints them in its own, and names modules that `-p` implies. */
function wordsOf(rule: string): string {
  return rule.replace(" -m tcp", "").split(" ").sort().join(" ");
}

for (const backend of ["nft", "legacy"]) {
  Deno.test({
    name: `proxy-init: twice is once, and --clean leaves the rules of others, ${backend}${why}`,
    ignore: obstacle !== null,
    async fn() {
      const lab = new NetworkLab();
      try {
        await lab.add("pod");
        await lab.run("pod", `iptables-${backend}`, [
          ...["-t", "nat", "-A", "OUTPUT", "-p", "udp", "-d", "10.96.0.10", "-j", "RETURN"],
        ]);
        const before = await natOf(lab, backend);
        const lists = [
          "--outbound-port-exclusion-list=5432,8000-8010",
          "--outbound-ip-range-exclusion-list=169.254.169.254,fd00:1::/32",
          "--outbound-ip-range-inclusion-list=10.0.0.0/8,fd00::/8",
          "--inbound-port-inclusion-list=8080,9090",
          "--network-interface-exclusion-list=eth1,veth+",
        ];
        const capture = await script("--backend", backend, ...lists);
        await lab.run("pod", "sh", ["-e"], capture);
        const once = await natOf(lab, backend);
        const kept = once.split("\n").map(wordsOf);
        for (const line of capture.match(/^-A .*$/gm) ?? []) {
          assert.ok(kept.includes(wordsOf(line)), `the kernel has "${line}"`);
        }
        await lab.run("pod", "sh", ["-e"], capture);
        assert.equal(await natOf(lab, backend), once);
        // Other lists replace the rules instead of adding to them.
        await lab.run("pod", "sh", ["-e"], await script("--backend", backend));
        assert.ok(!(await natOf(lab, backend)).includes("5432"));

        const clean = await script("--backend", backend, "--clean");
        await lab.run("pod", "sh", ["-e"], clean);
        const beforeSorted = before.split("\n").filter(Boolean).sort();
        const afterSorted = (await natOf(lab, backend)).split("\n").filter(Boolean).sort();
        // Looking at a table makes the kernel show its built-in chains.
        assert.deepEqual(afterSorted.filter((line) => !beforeSorted.includes(line)), []);
        await lab.run("pod", "sh", ["-e"], clean);
      } finally {
        await lab.close();
      }
    },
  });
}

Deno.test({
  name: `proxy-init: the command itself does what its script says${why}`,
  ignore: obstacle !== null,
  async fn() {
    const lab = new NetworkLab();
    try {
      await lab.add("pod");
      const weft = (...argv: string[]) =>
        lab.attempt("pod", Deno.execPath(), ["run", "-A", "--no-check", "main.ts", ...argv]);
      const first = await weft("proxy-init", "--yes");
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stdout, /^Capture of IPv4 and IPv6: outbound to 15001, inbound to 15003/);
      const rules = await lab.run("pod", "iptables-save", ["-t", "nat"]);
      assert.match(rules, /-A OUTPUT -p tcp -j WEFT_OUTBOUND/);
      assert.match(rules, /-A PREROUTING -p tcp -j WEFT_INBOUND/);
      assert.equal((await weft("proxy-init", "--yes")).code, 0);
      assert.equal((await weft("proxy-init", "--clean")).code, 0);
      assert.ok(!(await lab.run("pod", "iptables-save", ["-t", "nat"])).includes("WEFT"));

      // Without the capability: one line and a hint.
      const refused = await lab.attempt("pod", "setpriv", [
        ...["--bounding-set=-all", Deno.execPath(), "run", "-A", "--no-check", "main.ts"],
        ...["proxy-init", "--yes"],
      ]);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /^weft: Cannot set up capture: iptables-restore: .*\n.*NET_ADMIN/,
      );
    } finally {
      await lab.close();
    }
  },
});

Deno.test({
  name: `proxy-init: a pod's network is captured without asking, a node's is not${why}`,
  ignore: obstacle !== null,
  async fn() {
    const lab = new NetworkLab();
    try {
      await lab.add("pod");
      const init = () =>
        lab.attempt("pod", "env", [
          ...["KUBERNETES_SERVICE_HOST=10.96.0.1", Deno.execPath(), "run", "-A", "--no-check"],
          ...["main.ts", "proxy-init"],
        ]);
      // As the kubelet does on its node, whose network a pod may have.
      await lab.run("pod", "iptables", ["-t", "nat", "-N", "KUBE-KUBELET-CANARY"]);
      const refused = await init();
      assert.deepEqual([refused.code, refused.stdout], [2, ""]);
      assert.match(refused.stderr, /^weft: .*pod on its node's.*\n {2}Add --yes /);
      assert.ok(!(await lab.run("pod", "iptables-save", ["-t", "nat"])).includes("WEFT"));
      await lab.run("pod", "iptables", ["-t", "nat", "-X", "KUBE-KUBELET-CANARY"]);
      const done = await init();
      assert.equal(done.code, 0, done.stderr);
      assert.match(await lab.run("pod", "iptables-save", ["-t", "nat"]), /-j WEFT_OUTBOUND/);
    } finally {
      await lab.close();
    }
  },
});

Deno.test({
  name:
    `proxy-init: without IPv6 tables IPv4 alone is captured, but only where nothing has IPv6${why}`,
  ignore: obstacle !== null,
  async fn() {
    const lab = new NetworkLab();
    const programs = await Deno.makeTempDir();
    try {
      const kinds = ["ip6tables", "ip6tables-nft", "ip6tables-legacy"];
      for (const name of kinds.flatMap((kind) => [kind, `${kind}-restore`])) {
        const script = "#!/bin/sh\necho \"can't initialize table 'nat'\" >&2\nexit 3\n";
        await Deno.writeTextFile(`${programs}/${name}`, script, { mode: 0o755 });
      }
      await lab.add("pod");
      const init = () =>
        lab.attempt("pod", "env", [
          ...[`PATH=${programs}:${Deno.env.get("PATH")}`, Deno.execPath(), "run", "-A"],
          ...["--no-check", "main.ts", "proxy-init", "--yes"],
        ]);
      const done = await init();
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /^Capture of IPv4: /);
      await lab.add("world");
      await lab.join(
        { name: "pod", addresses: ["fd77::2/64"] },
        { name: "world", addresses: ["fd77::1/64"] },
      );
      const refused = await init();
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^weft: Cannot set up capture: ip6tables-restore: can't init/);
    } finally {
      await lab.close();
      await Deno.remove(programs, { recursive: true });
    }
  },
});

Deno.test({
  name: `proxy-init: where the system's iptables finds no tables the other one is taken${why}`,
  ignore: obstacle !== null,
  async fn() {
    const lab = new NetworkLab();
    const programs = await Deno.makeTempDir();
    try {
      for (const name of ["iptables", "ip6tables"].flatMap((name) => [name, `${name}-restore`])) {
        const script =
          "#!/bin/sh\necho 'Failed to initialize nft: Protocol not supported' >&2\nexit 1\n";
        await Deno.writeTextFile(`${programs}/${name}`, script, { mode: 0o755 });
      }
      await lab.add("pod");
      const init = (...options: string[]) =>
        lab.attempt("pod", "env", [
          ...[`PATH=${programs}:${Deno.env.get("PATH")}`, Deno.execPath(), "run", "-A"],
          ...["--no-check", "main.ts", "proxy-init", "--yes", ...options],
        ]);
      const done = await init();
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stdout, /IPv4 and IPv6: [^]*undo it: .* --clean --backend legacy\n$/);
      for (const program of ["iptables", "ip6tables"]) {
        const rules = await lab.run("pod", `${program}-legacy-save`, ["-t", "nat"]);
        assert.match(rules, /-j WEFT_OUTBOUND/);
      }
      // One that was asked for is not replaced.
      const asked = await lab.attempt("pod", "env", [
        ...["PATH=/nowhere", Deno.execPath(), "run", "-A", "--no-check", "main.ts"],
        ...["proxy-init", "--yes", "--backend", "nft"],
      ]);
      assert.equal(asked.code, 1);
      assert.match(asked.stderr, /iptables-nft-restore is not installed/);
    } finally {
      await lab.close();
      await Deno.remove(programs, { recursive: true });
    }
  },
});
