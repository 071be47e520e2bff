/**
 * Makes one file of each package that ships: what the package exports, minified, without the rest of it. Deno
 * keeps all that it embeds in memory for as long as the executable runs, and whole packages are mostly sources,
 * type declarations and second builds of themselves.
 */
import { ROOT } from "./repository.ts";

const FOLDER = "dist/vendor";
/** Bundled CommonJS asks for Node's modules by a `require` that an ES module does not have. */
const REQUIRE = 'import { createRequire } from "node:module";\n' +
  "const require = createRequire(import.meta.url);\n";

/** What the bundler runs on: a Deno executable and its first arguments. */
export type DenoCommand = readonly [string, readonly string[]];

/** The terms of all that is bundled: minified text keeps none. */
export const LICENSES = `${FOLDER}/LICENSES.txt`;

/** What is bundled, for the bill of materials: a list of {@link ShippedPackage}. */
export const PACKAGES = `${FOLDER}/packages.json`;

export interface ShippedPackage {
  readonly name: string;
  readonly version: string;
  /** As its package says, by SPDX's names; empty: it says nothing. */
  readonly license: string;
}

/**
 * Bundles packages, by their names in deno.json: an import map with files of `dist/vendor/`, as seen from `dist/`; null
 * where a package could not be bundled, which Deno has explained.
 * @param shipped all whose terms are to be told, these and others
 */
export function vendor(
  names: readonly string[],
  shipped: readonly string[],
  deno: DenoCommand,
): Record<string, string> | null {
  Deno.mkdirSync(new URL(FOLDER, ROOT), { recursive: true });
  const vendored: Record<string, string> = {};
  for (const name of names) {
    const file = `${name.replace(/\W+/g, "-")}.js`;
    if (!bundle(name, `${FOLDER}/${file}`, deno)) return null;
    vendored[name] = `./vendor/${file}`;
  }
  const packages = packagesOf(shipped, deno);
  Deno.writeTextFileSync(
    new URL(LICENSES, ROOT),
    packages.map(licenseText).join("\n\n"),
  );
  Deno.writeTextFileSync(
    new URL(PACKAGES, ROOT),
    JSON.stringify(packages.map(({ shipped }) => shipped)),
  );
  return vendored;
}

function bundle(name: string, output: string, deno: DenoCommand): boolean {
  const entry = `${output}.entry.ts`;
  // `export *` would lose the default export, and all the names of a CommonJS package.
  const ask = `import * as all from "${name}"; console.log(Object.keys(all).join("\\n"));`;
  const exported = (runDeno(deno, ["eval", ask], "piped") ?? "").split("\n")
    .filter((word) => /^\w+$/.test(word) && word !== "__esModule");
  Deno.writeTextFileSync(
    new URL(entry, ROOT),
    `export { ${exported.join(", ")} } from "${name}";\n`,
  );
  const args = ["bundle", "--quiet", "--minify", "--output", output, entry];
  if (runDeno(deno, args, "inherit") === null) return false;
  const file = new URL(output, ROOT);
  Deno.writeTextFileSync(file, REQUIRE + Deno.readTextFileSync(file));
  return true;
}

interface PackageInfo {
  readonly name: string;
  readonly version: string;
  /** Keys of other packages. */
  readonly dependencies: readonly string[];
  readonly registryUrl: string;
}

interface PackageFolder {
  readonly shipped: ShippedPackage;
  readonly folder: string;
  readonly author: unknown;
}

/** Packages and what they depend on, by name. */
function packagesOf(names: readonly string[], deno: DenoCommand): PackageFolder[] {
  const { npmCache } = infoOf(deno, []) as { npmCache: string };
  const { npmPackages } = infoOf(deno, [`${FOLDER}/yaml.js.entry.ts`]) as {
    npmPackages: Record<string, PackageInfo>;
  };
  const waiting = Object.keys(npmPackages).filter((key) => names.includes(npmPackages[key].name));
  const found = new Set<string>();
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    waiting.push(...npmPackages[key].dependencies);
  }
  return [...found].sort().map((key) => {
    const { name, version, registryUrl } = npmPackages[key];
    const folder = `${npmCache}/${new URL(registryUrl).host}/${name}/${version}`;
    const { license, author } = JSON.parse(Deno.readTextFileSync(`${folder}/package.json`));
    return { shipped: { name, version, license: String(license ?? "") }, folder, author };
  });
}

/** The licence file, or what the package says of itself where it has none. */
function licenseText(
  { shipped: { name, version, license }, folder, author }: PackageFolder,
): string {
  for (const entry of Deno.readDirSync(folder)) {
    if (!/^licen[cs]e/i.test(entry.name)) continue;
    return `${name} ${version}\n\n${Deno.readTextFileSync(`${folder}/${entry.name}`)}`;
  }
  return `${name} ${version}\n\n${license}, ${JSON.stringify(author ?? "the authors")}\n`;
}

function infoOf(deno: DenoCommand, args: string[]): unknown {
  return JSON.parse(runDeno(deno, ["info", "--json", ...args], "piped") ?? "{}");
}

/** What it printed, where that is piped; null if it failed. */
export function runDeno(
  [command, first]: DenoCommand,
  args: string[],
  stdout: "inherit" | "piped",
): string | null {
  const result = new Deno.Command(command, {
    args: [...first, ...args],
    cwd: ROOT,
    // Deno 2.6 trusts only its own list of authorities, which a company's proxy is not on.
    env: { DENO_TLS_CA_STORE: "mozilla,system" },
    stdout,
    stderr: "inherit",
  }).outputSync();
  if (!result.success) return null;
  return stdout === "piped" ? new TextDecoder().decode(result.stdout) : "";
}
