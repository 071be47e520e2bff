/**
 * `deno task release`: what a version is given to people as, in dist/release/: an archive of the executable for each system, the image,
 * the chart, a bill of materials, and SHA256SUMS. The same commit gives the same bytes.
 *
 *   deno task release                     for every system, by base binaries that Deno downloads
 *   DENORT_BIN=FILE deno task release     for this one only, by a base binary that is there
 */
import { VERSION } from "../base/version.ts";
import { packedArchive, runTool } from "./archive.ts";
import { chartFiles } from "./chart.ts";
import { readFile, ROOT } from "./repository.ts";
import { billOfMaterials, integrityIn } from "./sbom.ts";
import { LICENSES, PACKAGES } from "./vendor.ts";

const RELEASE = "dist/release";

/** As `uname` names systems in the guide's download, and Deno's names of the same. */
const SYSTEMS = [
  { name: "linux-amd64", target: "x86_64-unknown-linux-gnu" },
  { name: "linux-arm64", target: "aarch64-unknown-linux-gnu" },
  { name: "darwin-amd64", target: "x86_64-apple-darwin" },
  { name: "darwin-arm64", target: "aarch64-apple-darwin" },
] as const;

/** What it printed; null if it failed. */
function ask(command: string, args: readonly string[]): string | null {
  const { success, stdout } = new Deno.Command(command, {
    args: [...args],
    cwd: ROOT,
    stderr: "null",
  }).outputSync();
  return success ? new TextDecoder().decode(stdout).trim() : null;
}

/** Of the executable for this system that is there. */
function own(): (typeof SYSTEMS)[number] | undefined {
  return SYSTEMS.find(({ target }) => target === Deno.build.target);
}

/** The executable of a system; null: there is none, and why not has been said. */
function executableFor({ name, target }: (typeof SYSTEMS)[number]): string | null {
  if (target === Deno.build.target) return "dist/weft";
  if ((Deno.env.get("DENORT_BIN") ?? "") !== "") {
    console.error(`Not made: ${name}. DENORT_BIN is a base binary of this system only`);
    return null;
  }
  // What it says is Deno's own.
  const { success } = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "compile", "--target", target],
    cwd: ROOT,
    stdout: "null",
    stderr: "inherit",
  }).outputSync();
  if (success) return `dist/weft-${target}`;
  console.error(`Not made: ${name}. Deno could not download a base binary for ${target}`);
  return null;
}

/** `linux-amd64/weft`, and the terms of all that is in it. */
function packExecutable(name: string, executable: string, work: string): void {
  const folder = `${work}/${name}`;
  Deno.mkdirSync(folder);
  Deno.copyFileSync(new URL(executable, ROOT), `${folder}/weft`);
  Deno.chmodSync(`${folder}/weft`, 0o755);
  for (const [from, to] of [["LICENSE", "LICENSE"], [LICENSES, "LICENSES.txt"]]) {
    Deno.copyFileSync(new URL(from, ROOT), `${folder}/${to}`);
    Deno.chmodSync(`${folder}/${to}`, 0o644);
  }
  Deno.chmodSync(folder, 0o755);
  packedArchive(work, `${RELEASE}/weft-${VERSION}-${name}.tar.gz`, name);
}

function packChart(work: string): void {
  const folder = `${work}/chart/weft`;
  for (const [path, text] of Object.entries(chartFiles())) {
    const file = `${folder}/${path}`;
    const parent = file.replace(/\/[^/]*$/, "");
    Deno.mkdirSync(parent, { recursive: true, mode: 0o755 });
    Deno.writeTextFileSync(file, text);
    Deno.chmodSync(file, 0o644);
  }
  packedArchive(`${work}/chart`, `${RELEASE}/weft-${VERSION}.tgz`, "weft");
}

/** Debian's packages whose files the image has; none where dpkg is not there. */
function systemPackages(work: string): { name: string; version: string }[] {
  const root = `${work}/root`;
  runTool("sh", ["tools/image_root.sh", "dist/weft", root]);
  const files = (ask("find", [root, "-type", "f"]) ?? "").split("\n")
    .map((path) => path.slice(root.length));
  const packages = new Set<string>();
  for (const file of files) {
    for (const path of [file, file.replace(/^\/usr/, ""), `/usr${file}`]) {
      const found = ask("dpkg", ["-S", path]);
      if (found === null) continue;
      packages.add(found.replace(/:.*/s, ""));
      break;
    }
  }
  return [...packages].sort().map((name) => ({
    name,
    version: ask("dpkg-query", ["-W", "-f=${Version}", name]) ?? "",
  }));
}

function writeBill(work: string): void {
  const { deno } = JSON.parse(ask("dist/weft", ["version", "-o", "json"]) ?? "{}");
  const bill = billOfMaterials({
    version: VERSION,
    commit: ask("git", ["rev-parse", "HEAD"]) ?? "",
    commitTime: Number(ask("git", ["log", "-1", "--format=%ct"]) ?? 0),
    deno,
    packages: JSON.parse(readFile(PACKAGES)),
    integrity: integrityIn(readFile("deno.lock")),
    system: systemPackages(work),
  });
  Deno.writeTextFileSync(new URL(`${RELEASE}/weft-${VERSION}.cdx.json`, ROOT), bill);
}

async function writeSums(): Promise<void> {
  const folder = new URL(`${RELEASE}/`, ROOT);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const lines = await Promise.all(names.map(async (name) => {
    const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(new URL(name, folder)));
    return `${new Uint8Array(digest).toHex()}  ${name}\n`;
  }));
  Deno.writeTextFileSync(new URL("SHA256SUMS", folder), lines.join(""));
  console.log(lines.join(""));
}

async function main(): Promise<number> {
  if (Deno.build.os !== "linux" || own() === undefined) {
    console.error("A release is made on Linux: its image has this machine's libraries");
    return 2;
  }
  runTool(Deno.execPath(), ["task", "--quiet", "compile"]);
  const release = new URL(RELEASE, ROOT);
  Deno.mkdirSync(release, { recursive: true });
  for (const { name } of Deno.readDirSync(release)) Deno.removeSync(`${release.pathname}/${name}`);
  const work = Deno.makeTempDirSync();
  try {
    for (const system of SYSTEMS) {
      const executable = executableFor(system);
      if (executable !== null) packExecutable(system.name, executable, work);
    }
    packChart(work);
    writeBill(work);
    runTool(Deno.execPath(), ["task", "--quiet", "image"]);
    Deno.copyFileSync(
      new URL("dist/weft-image.tar", ROOT),
      new URL(`${RELEASE}/weft-${VERSION}-image-${own()?.name}.tar`, ROOT),
    );
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  await writeSums();
  return 0;
}

if (import.meta.main) Deno.exit(await main());
