/**
 * Who may import whom. One table, the first row that fits a file counts; `lint_plugin.ts` enforces it and
 * docs/architecture.md explains it. Knows paths only, nothing of syntax.
 */

/** What the files under one prefix may import. */
interface Layer {
  /** A folder (ends in `/`) or a file, from the top of the repository. */
  readonly prefix: string;
  /** Our own files it may import. */
  readonly imports: readonly string[];
  /** Our own files of which it may import types only. */
  readonly types: readonly string[];
  /** Exceptions to `imports`. */
  readonly except: readonly string[];
  /** Our own files that it may import only when they are needed, by `await import()`. */
  readonly lazily: readonly string[];
  /** Packages by their name in deno.json; `*` is any but {@link TEST_PACKAGES}. */
  readonly packages: readonly string[];
  readonly nodeBuiltins: boolean;
}

/**
 * The rooms of proxy/, from the top: a room may import those on the lines below it. Rooms on one line never import
 * each other.
 */
export const ROOMS: readonly (readonly string[])[] = [
  ["run"],
  ["accept"],
  ["http1", "http2", "relay"],
  ["exchange"],
  ["route"],
  ["policy"],
  ["pool"],
  ["observe"],
  ["tracing"],
  ["loop"],
  ["tls"],
  ["protocol", "io", "balance", "state"],
];

/** Packages that only tests use, as oracles and tools; `compile.ts` keeps them out of the executable. */
export const TEST_PACKAGES: readonly string[] = [
  "fast-check",
  "re2js",
  "prom-client",
  "ws",
  "@grpc/grpc-js",
  "@grafana/schema",
  "playwright-core",
  "axe-core",
];

/** Packages of the page in a browser, which is bundled with them: the program itself never loads them. */
export const PAGE_PACKAGES: readonly string[] = ["preact"];

/** What pulls the compiler in; a proxy is handed plans and must not carry it. */
const COMPILER = "routing/compile/";
/** What pulls the compiler and the parser of manifests in. A sidecar that is handed a plan must not carry it. */
const MANIFESTS = "sidecar/compile_input.ts";
const PRODUCT = [
  "main.ts",
  "base/",
  "schemas/",
  "routing/",
  "proxy/",
  "controller/",
  "console/",
  "offline/",
  "page/",
  "sidecar/",
  "local/",
  "cli/",
];

function layer(prefix: string, imports: string[], options: Partial<Layer> = {}): Layer {
  return {
    prefix,
    imports,
    types: [],
    except: [],
    lazily: [],
    packages: [],
    nodeBuiltins: false,
    ...options,
  };
}

function roomLayer(room: string, below: readonly string[]): Layer {
  const rooms = [room, ...below].map((name) => `proxy/${name}/`);
  const shared = ["base/", "routing/", "proxy/config.ts", "proxy/limits.ts"];
  return layer(`proxy/${room}/`, [...shared, ...rooms], { except: [COMPILER] });
}

/** May import whatever deno.json names. */
const ANYTHING: Partial<Layer> = { packages: ["*", ...TEST_PACKAGES], nodeBuiltins: true };

const LAYERS: readonly Layer[] = [
  layer("base/", ["base/"]),
  layer("schemas/", ["base/", "schemas/"], { packages: ["yaml", "ajv"], nodeBuiltins: true }),
  layer(COMPILER, ["base/", "routing/"], { types: ["schemas/"] }),
  layer("routing/", ["base/", "routing/"], { except: [COMPILER] }),
  layer("proxy/limits.ts", []),
  layer("proxy/config.ts", ["base/", "routing/", "proxy/limits.ts"], { except: [COMPILER] }),
  // node:tls is all there is for TLS without FFI.
  layer("proxy/io/portable_tls.ts", ["base/", "proxy/io/", "proxy/limits.ts"], {
    nodeBuiltins: true,
  }),
  layer("proxy/io/", ["base/", "proxy/io/", "proxy/limits.ts"]),
  ...ROOMS.flatMap((line, i) => line.map((room) => roomLayer(room, ROOMS.slice(i + 1).flat()))),
  layer("controller/", ["base/", "schemas/", "routing/", "controller/"], {
    packages: ["*"],
    nodeBuiltins: true,
  }),
  layer("console/", ["base/", "console/"]),
  // Of the proxy only what neither listens nor sends.
  layer("offline/", [
    ...["base/", "console/", "schemas/", "routing/", "offline/"],
    ...["proxy/balance/", "proxy/run/read_asked.ts"],
  ]),
  layer("page/browser/", [
    ...["base/", "console/", "schemas/", "routing/", "offline/", "page/browser/"],
    ...["page/page_data.ts", "page/limits.ts"],
  ], { packages: PAGE_PACKAGES }),
  // What makes and hands out the page; a browser alone loads what is in it.
  layer("page/", ["base/", "console/", "schemas/", "page/"], { except: ["page/browser/"] }),
  layer(MANIFESTS, ["base/", "console/", "schemas/", "routing/"]),
  layer("sidecar/", ["base/", "console/", "routing/", "proxy/", "sidecar/"], {
    except: [COMPILER, MANIFESTS],
    lazily: [MANIFESTS, "schemas/"],
    nodeBuiltins: true,
  }),
  layer("local/", PRODUCT, {
    except: ["main.ts", "controller/", "cli/"],
    packages: ["yaml"],
    nodeBuiltins: true,
  }),
  // Only these see every role.
  layer("cli/", PRODUCT, { except: ["main.ts"], packages: ["*"], nodeBuiltins: true }),
  layer("main.ts", PRODUCT, { packages: ["*"], nodeBuiltins: true }),
  layer("tests/", [""], ANYTHING),
  layer("tools/", [""], ANYTHING),
  layer("bench/", [""], ANYTHING),
];

/** Files that only tests and benchmarks run; they may import anything. */
export function isTestFile(path: string): boolean {
  return /_(test|bench)\.tsx?$/.test(path) || /(^|\/)testdata\//.test(path);
}

const TEST_LAYER = layer("", [""], ANYTHING);

/** The layer of a file, or null if the path belongs to none: then a row is missing above. */
export function layerOf(path: string): Layer | null {
  if (isTestFile(path)) return TEST_LAYER;
  return LAYERS.find((row) => covers(row.prefix, path)) ?? null;
}

function covers(prefix: string, path: string): boolean {
  return prefix === "" || prefix === path || (prefix.endsWith("/") && path.startsWith(prefix));
}

/** How a file imports another. */
export type ImportKind =
  /** Before it runs itself. */
  | "value"
  /** Not at all: the import vanishes when the types are stripped. */
  | "type"
  /** By `import()`, when it is needed. */
  | "lazy";

/** Says why `path` may not import `specifier`, or returns null if it may. */
export function importProblem(path: string, specifier: string, kind: ImportKind): string | null {
  const row = layerOf(path);
  if (row === null) return `"${path}" is in no layer of tools/layers.ts`;
  const place = row.prefix === "" ? "a test" : row.prefix;

  if (specifier.startsWith("node:")) {
    return row.nodeBuiltins ? null : `${place} may not import Node's modules: "${specifier}"`;
  }
  const scheme = /^([a-z]+):/.exec(specifier)?.[1];
  if (scheme !== undefined) {
    return `Import "${specifier}" by its name in deno.json, where the exact version stands`;
  }
  if (specifier.startsWith("/")) return `Import "${specifier}" by a relative path`;
  if (!specifier.startsWith(".")) {
    const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
    const allowed = row.packages.includes(name) ||
      (row.packages.includes("*") && ![...TEST_PACKAGES, ...PAGE_PACKAGES].includes(name));
    return allowed ? null : `${place} may not import the package "${specifier}"`;
  }

  const target = resolveImport(path, specifier);
  if (target === null) return `"${specifier}" leaves the repository`;
  const isIn = (prefixes: readonly string[]) => prefixes.some((prefix) => covers(prefix, target));
  if (isIn(row.imports) && !isIn(row.except)) return null;
  if (isIn(row.types)) {
    return kind === "type" ? null : `${place} may import types only from "${target}"`;
  }
  if (isIn(row.lazily)) {
    return kind === "lazy" ? null : `${place} may import "${target}" by import() only`;
  }
  return `${place} may not import "${target}"`;
}

/** Resolves a relative specifier to a path from the top; null for a package, and where it climbs out. */
export function resolveImport(path: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const parts = path.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return null;
  }
  return parts.join("/");
}
