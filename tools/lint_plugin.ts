/**
 * The repository's own lint rules, run by `deno lint` and by tests/import_rule_test.ts. Each rule has fixtures
 * in testdata/rules/ that break it. Which file may import which is in `layers.ts`.
 */
import { importProblem, isTestFile } from "./layers.ts";
import { importVisitor } from "./modules.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** The file that a rule looks at, from the top of the repository. */
function pathOf(context: Deno.lint.RuleContext): string {
  const path = context.filename.replaceAll("\\", "/");
  return path.startsWith(ROOT) ? path.slice(ROOT.length) : path;
}

/** Import directions (docs/architecture.md), also of workers: `new URL("./x.ts", import.meta.url)`. */
const imports: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context);
    return {
      ...importVisitor((node, { specifier, kind }) => {
        const message = importProblem(path, specifier, kind);
        if (message !== null) context.report({ node, message });
      }),
      // Beside what the visitor sees: a computed path.
      "ImportExpression[source.type!='Literal']"(node: Deno.lint.Node) {
        if (isTestFile(path)) return;
        context.report({ node, message: "Import a literal path, so that the import is checked" });
      },
    };
  },
};

const FFI_NAMES = /^(dlopen|Unsafe(Pointer|PointerView|Callback|FnPointer))$/;

/** Native code is reached from one place, so that every unsafe call can be read in one sitting. */
const ffi: Deno.lint.Rule = {
  create(context) {
    if (/^proxy\/io\/libc[a-z0-9_]*\.ts$/.test(pathOf(context))) return {};
    const message = "Native code is called in proxy/io/libc.ts only";
    return {
      Identifier(node) {
        if (FFI_NAMES.test(node.name)) context.report({ node, message });
      },
      Literal(node) {
        const isKey = node.parent?.type === "MemberExpression";
        if (isKey && typeof node.value === "string" && FFI_NAMES.test(node.value)) {
          context.report({ node, message });
        }
      },
    };
  },
};

/** One place renders for people and one writes logs; everything else returns values. */
const consoleCalls: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context);
    const allowed = /^(tests|tools|bench)\//;
    if (allowed.test(path) || isTestFile(path)) return {};
    return {
      MemberExpression(node) {
        if (node.object.type === "Identifier" && node.object.name === "console") {
          context.report({ node, message: "Print by console/output.ts, log by base/log.ts" });
        }
      },
    };
  },
};

const AMBIENT = new Set([
  "Deno",
  "process",
  "performance",
  "crypto",
  "fetch",
  "setTimeout",
  "setInterval",
  "queueMicrotask",
  "globalThis",
]);

/** Routing is the same everywhere, at any time: no clock, no randomness, no I/O, no runtime. */
const pure: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context);
    if (!path.startsWith("routing/") || isTestFile(path)) return {};
    function report(node: Deno.lint.Node, name: string): void {
      context.report({
        node,
        message: `Routing is pure: take what "${name}" gives as an argument`,
      });
    }
    return {
      Identifier(node) {
        if (AMBIENT.has(node.name) && !isMemberName(node)) report(node, node.name);
      },
      MemberExpression(node) {
        if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
        const name = `${node.object.name}.${node.property.name}`;
        if (name === "Date.now" || name === "Math.random") report(node, name);
      },
      NewExpression(node) {
        const isDate = node.callee.type === "Identifier" && node.callee.name === "Date";
        if (isDate && node.arguments.length === 0) report(node, "new Date()");
      },
    };
  },
};

/** True for the name after a dot and for the key of a property, method or field: not a use of a global. */
function isMemberName(node: Deno.lint.Identifier): boolean {
  const parent: unknown = node.parent;
  if (typeof parent !== "object" || parent === null) return false;
  if ("computed" in parent && parent.computed === true) return false;
  const isProperty = "property" in parent && parent.property === node;
  return isProperty || ("key" in parent && parent.key === node);
}

const BOUND_NAME = /_(MAX|MIN|MS|SECONDS)(_|$)/;

/** Bounds and times are compared and tuned together, so each part has them in one place, with their reasons. */
const limits: Deno.lint.Rule = {
  create(context) {
    const path = pathOf(context);
    const isElsewhere = /^(tests|tools|bench)\//.test(path) || isTestFile(path);
    // Numbers of an interface are not ours to choose.
    if (isElsewhere || /(^|\/)(limits|libc[a-z0-9_]*)\.ts$/.test(path)) return {};
    return {
      VariableDeclaration({ kind, declarations, parent }) {
        const isTop = parent.type === "Program" || parent.type === "ExportNamedDeclaration";
        if (kind !== "const" || !isTop) return;
        for (const { id, init } of declarations) {
          if (id.type !== "Identifier" || !BOUND_NAME.test(id.name) || !isNumber(init)) continue;
          context.report({ node: id, message: "A bound stands in a limits.ts, with its reason" });
        }
      },
    };
  },
};

/** True for a number, and for what is reckoned from numbers alone. */
function isNumber(node: Deno.lint.Expression | null): boolean {
  if (node?.type === "BinaryExpression") {
    return node.left.type !== "PrivateIdentifier" && isNumber(node.left) && isNumber(node.right);
  }
  return node?.type === "Literal" && typeof node.value === "number";
}

/** A name is given once, where the thing is defined. This file is the exception: Deno wants a default. */
const defaultExport: Deno.lint.Rule = {
  create(context) {
    if (pathOf(context) === "tools/lint_plugin.ts") return {};
    return {
      ExportDefaultDeclaration(node) {
        context.report({ node, message: "Export by name" });
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "weft",
  rules: { imports, ffi, console: consoleCalls, pure, limits, "default-export": defaultExport },
};
export default plugin;
