/**
 * How workloads are run on this machine, where the built-in stand-in is not wanted: `--run`, `--endpoint` and
 * `weft.local.yaml`. Reads and checks; starts nothing.
 *
 *     run:
 *       httpbin-v1: deno run --allow-net v1.ts {host} {port}
 *       shop/cart: { command: npm start, directory: ./cart, env: { DEBUG: "1" } }
 *     endpoints:
 *       httpbin-v2: 127.0.0.1:9000
 *     env: { LOG_LEVEL: debug }
 *
 * A name is that of a workload (all its pods) or of one pod, with or without `namespace/`.
 */
import { isMap, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { Finding, FindingCode } from "../base/finding.ts";
import { FINDING_CODES, formatFieldPath } from "../base/finding.ts";
import { usageFailure } from "../console/exit.ts";

export const SETTINGS_FILE = "weft.local.yaml";

/** A command that plays a pod. `{host}` and `{port}` in it stand for where it must listen. */
export interface RunSettings {
  readonly command: string;
  /** Working directory; undefined: that of weft. */
  readonly directory: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

/** Something that already runs and plays a pod. */
export interface ExistingEndpoint {
  /** An IP address or a host name. */
  readonly host: string;
  readonly port: number;
}

export interface LocalSettings {
  readonly runs: ReadonlyMap<string, RunSettings>;
  readonly endpoints: ReadonlyMap<string, ExistingEndpoint>;
}

export const NO_SETTINGS: LocalSettings = { runs: new Map(), endpoints: new Map() };

/** A pod and the workload it belongs to, as a name in the settings may call them. */
interface PodNames {
  readonly namespace: string;
  readonly pod: string;
  readonly workload: string;
}

/** What the settings say of a pod; the pod's own name counts before its workload's. */
export function settingFor<T>(settings: ReadonlyMap<string, T>, names: PodNames): T | undefined {
  const { namespace, pod, workload } = names;
  for (const name of [`${namespace}/${pod}`, pod, `${namespace}/${workload}`, workload]) {
    const found = settings.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Names in the settings that no pod answers to: most likely misspelt. */
export function unusedNames(settings: LocalSettings, pods: readonly PodNames[]): string[] {
  const known = new Set(pods.flatMap(({ namespace, pod, workload }) => [
    `${namespace}/${pod}`,
    pod,
    `${namespace}/${workload}`,
    workload,
  ]));
  return [...settings.runs.keys(), ...settings.endpoints.keys()].filter((name) => !known.has(name));
}

/** Reads `--run` and `--endpoint`. Throws a usage failure for what it does not understand. */
export function settingsOfFlags(
  flags: { run?: readonly string[] | undefined; endpoint?: readonly string[] | undefined },
): LocalSettings {
  const runs = new Map<string, RunSettings>();
  for (const text of flags.run ?? []) {
    const [name, command] = splitFlag("--run", text, "'httpbin-v1=node server.js'");
    runs.set(name, { command, directory: undefined, env: {} });
  }
  const endpoints = new Map<string, ExistingEndpoint>();
  for (const text of flags.endpoint ?? []) {
    const [name, value] = splitFlag("--endpoint", text, "'httpbin-v1=127.0.0.1:9000'");
    const endpoint = parseEndpoint(value);
    if (endpoint === undefined) {
      throw usageFailure(`--endpoint "${text}": "${value}" is not HOST:PORT`);
    }
    if (runs.has(name)) {
      throw usageFailure(`"${name}" has both --run and --endpoint`, "Give one of them");
    }
    endpoints.set(name, endpoint);
  }
  return { runs, endpoints };
}

/** Of a name that both speak of, what `strong` says counts. */
export function mergeSettings(weak: LocalSettings, strong: LocalSettings): LocalSettings {
  const isFree = ([name]: readonly [string, unknown]) =>
    !strong.runs.has(name) && !strong.endpoints.has(name);
  return {
    runs: new Map([...[...weak.runs].filter(isFree), ...strong.runs]),
    endpoints: new Map([...[...weak.endpoints].filter(isFree), ...strong.endpoints]),
  };
}

/** Reads the text of a settings file. Where there is an error Finding, the settings hold the rest. */
export function parseSettings(
  text: string,
  file: string,
): { settings: LocalSettings; findings: Finding[] } {
  return new SettingsReader(text, file).read();
}

function splitFlag(flag: string, text: string, example: string): [string, string] {
  const at = text.indexOf("=");
  const name = text.slice(0, at).trim();
  const value = text.slice(at + 1).trim();
  if (at < 0 || !isName(name) || value === "") {
    throw usageFailure(`${flag} "${text}" is not NAME=VALUE`, `For example ${flag} ${example}`);
  }
  return [name, value];
}

function isName(text: string): boolean {
  return /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/.test(text);
}

/** `HOST:PORT`, or `[IPv6]:PORT`. */
function parseEndpoint(text: string): ExistingEndpoint | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port < 1 || port > 65_535) return undefined;
  return { host: parts[1] ?? parts[2], port };
}

/** Walks the document by its nodes, so that every complaint has a line and a column. */
class SettingsReader {
  readonly #findings: Finding[] = [];
  readonly #lines = new LineCounter();
  readonly #text: string;
  readonly #file: string;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  read(): { settings: LocalSettings; findings: Finding[] } {
    const document = parseDocument(this.#text, { lineCounter: this.#lines });
    for (const error of document.errors) {
      this.#report("yaml-syntax", {
        offset: error.pos[0],
        path: [],
        message: error.message.split("\n")[0].replace(/ at line \d+, column \d+:?$/, ""),
        hint: "Correct the YAML",
      });
    }
    const runs = new Map<string, RunSettings>();
    const endpoints = new Map<string, ExistingEndpoint>();
    if (document.errors.length > 0 || document.contents === null) {
      return { settings: { runs, endpoints }, findings: this.#findings };
    }
    const sections = new Map(this.#entries(document.contents, []));
    const shared = this.#texts(sections.get("env"), ["env"]);
    for (const [name, node] of this.#named(sections.get("run"), ["run"])) {
      const run = this.#run(node, name, shared);
      if (run !== undefined) runs.set(name, run);
    }
    for (const [name, node] of this.#named(sections.get("endpoints"), ["endpoints"])) {
      const text = isScalar(node) ? String(node.value) : "";
      const endpoint = parseEndpoint(text);
      if (endpoint !== undefined) endpoints.set(name, endpoint);
      else this.#invalid(node, ["endpoints", name], "is not HOST:PORT");
    }
    for (const [name, node] of sections) {
      if (!["run", "endpoints", "env"].includes(name)) this.#unknown(node, [name]);
    }
    return { settings: { runs, endpoints }, findings: this.#findings };
  }

  /** A command as text, or `{ command, directory, env }`. */
  #run(node: Node, name: string, shared: Record<string, string>): RunSettings | undefined {
    const path = ["run", name];
    if (isScalar(node) && typeof node.value === "string" && node.value.trim() !== "") {
      return { command: node.value, directory: undefined, env: shared };
    }
    if (!isMap(node)) {
      this.#invalid(node, path, "is not a command");
      return undefined;
    }
    const fields = new Map(this.#entries(node, path));
    for (const [field, child] of fields) {
      if (!["command", "directory", "env"].includes(field)) this.#unknown(child, [...path, field]);
    }
    const command = this.#nonEmptyText(fields.get("command") ?? node, [...path, "command"]);
    const directoryNode = fields.get("directory");
    const directory = directoryNode === undefined
      ? undefined
      : this.#nonEmptyText(directoryNode, [...path, "directory"]);
    if (command === undefined) return undefined;
    return {
      command,
      directory,
      env: { ...shared, ...this.#texts(fields.get("env"), [...path, "env"]) },
    };
  }

  #named(node: Node | undefined, path: string[]): [string, Node][] {
    if (node === undefined) return [];
    return this.#entries(node, path).filter(([name, child]) => {
      if (isName(name)) return true;
      this.#invalid(child, [...path, name], "is not the name of a workload or a pod");
      return false;
    });
  }

  #texts(node: Node | undefined, path: string[]): Record<string, string> {
    const texts: Record<string, string> = {};
    if (node === undefined) return texts;
    for (const [name, child] of this.#entries(node, path)) {
      if (isScalar(child) && child.value !== null) texts[name] = String(child.value);
      else this.#invalid(child, [...path, name], "is not a text");
    }
    return texts;
  }

  #nonEmptyText(node: Node, path: string[]): string | undefined {
    if (isScalar(node) && typeof node.value === "string" && node.value.trim() !== "") {
      return node.value;
    }
    this.#invalid(node, path, "is missing or not a text");
    return undefined;
  }

  #entries(node: Node, path: string[]): [string, Node][] {
    if (isScalar(node) && node.value === null) return [];
    if (!isMap(node)) {
      this.#invalid(node, path, "is not a mapping");
      return [];
    }
    return node.items.map(({ key, value }) => {
      const name = isScalar(key) ? String(key.value) : String(key);
      return [name, (value ?? key) as Node];
    });
  }

  #invalid(node: Node, path: string[], problem: string): void {
    const subject = path.length === 0 ? "The document" : `"${formatFieldPath(path)}"`;
    this.#report("schema-invalid", {
      offset: node.range?.[0] ?? 0,
      path,
      message: `${subject} ${problem}`,
      hint:
        'For example run: { web: "node web.js {port}" } or endpoints: { web: "127.0.0.1:9000" }',
    });
  }

  #unknown(node: Node, path: string[]): void {
    this.#report("field-misspelt", {
      offset: node.range?.[0] ?? 0,
      path,
      message: `"${formatFieldPath(path)}" is not a field of ${SETTINGS_FILE}`,
      hint: "Remove it, or correct its spelling",
    });
  }

  #report(
    code: FindingCode,
    { offset, path, message, hint }: {
      offset: number;
      path: string[];
      message: string;
      hint: string;
    },
  ): void {
    const { line, col } = this.#lines.linePos(offset);
    this.#findings.push({
      code,
      severity: FINDING_CODES[code][0],
      message,
      hint,
      field: formatFieldPath(path),
      position: { file: this.#file, line, column: col },
    });
  }
}
