/**
 * What one file imports and exports, read by the linter's parser. Knows syntax only: which imports are allowed is in
 * `layers.ts`, what follows from all of them together in `import_graph.ts`.
 */
import type { ImportKind } from "./layers.ts";

/** One mention of another module: an import, a re-export, a dynamic import, or a worker's address. */
interface Import {
  readonly specifier: string;
  readonly kind: ImportKind;
  /** What is taken from it; `*`: it may be anything. */
  readonly names: readonly string[];
}

export interface Module {
  /** From the top of the repository. */
  readonly path: string;
  readonly imports: readonly Import[];
  /** Names that are declared here, or passed on from elsewhere. */
  readonly exports: readonly string[];
}

/** Reads one file. It works in `deno test` only, as `Deno.lint.runPlugin` does. */
export function readModule(path: string, source: string): Module {
  const imports: Import[] = [];
  const exports: string[] = [];
  const collector: Deno.lint.Rule = {
    create: () => ({
      ...importVisitor((_node, item) => imports.push(item)),
      ...namespaceVisitor((item) => imports.push(item)),
      "ExportNamedDeclaration > *": (node: Deno.lint.Node) => exports.push(...declaredNames(node)),
    }),
  };
  Deno.lint.runPlugin({ name: "modules", rules: { collector } }, path, source);
  return { path, imports, exports };
}

/** Calls back for each mention of a module whose specifier is a literal. */
export function importVisitor(
  found: (node: Deno.lint.Node, item: Import) => void,
): Deno.lint.LintVisitor {
  return {
    ImportDeclaration(node) {
      const { specifiers, source } = node;
      const typesOnly = node.importKind === "type" ||
        (specifiers.length > 0 &&
          specifiers.every((it) => it.type === "ImportSpecifier" && it.importKind === "type"));
      const names = specifiers.flatMap((it) => {
        if (it.type === "ImportNamespaceSpecifier") return [];
        return it.type === "ImportSpecifier" ? [nameOf(it.imported)] : ["default"];
      });
      found(node, { specifier: source.value, kind: typesOnly ? "type" : "value", names });
    },
    ExportNamedDeclaration(node) {
      if (node.source === null) return;
      const names = node.specifiers.map((it) => nameOf(it.local));
      found(node, { specifier: node.source.value, kind: node.exportKind, names });
    },
    ExportAllDeclaration(node) {
      found(node, { specifier: node.source.value, kind: node.exportKind, names: ["*"] });
    },
    ImportExpression(node) {
      if (node.source.type !== "Literal" || typeof node.source.value !== "string") return;
      found(node, { specifier: node.source.value, kind: "lazy", names: awaitedNames(node) });
    },
    TSImportType(node) {
      const specifier = literalOf(node.argument);
      if (specifier !== null) found(node, { specifier, kind: "type", names: ["*"] });
    },
    NewExpression(node) {
      const [first, second] = node.arguments;
      if (node.callee.type !== "Identifier" || node.callee.name !== "URL") return;
      if (second?.type !== "MemberExpression" || second.object.type !== "MetaProperty") return;
      if (first?.type !== "Literal" || typeof first.value !== "string") return;
      if (!/\.tsx?$/.test(first.value)) return;
      found(node, { specifier: first.value.replace(/^(?!\.)/, "./"), kind: "value", names: [] });
    },
  };
}

/** What is used of `import * as name`: each `name.member`. */
function namespaceVisitor(found: (item: Import) => void): Deno.lint.LintVisitor {
  const specifiers = new Map<string, string>();
  function use(name: string, member: string): void {
    const specifier = specifiers.get(name);
    if (specifier !== undefined) found({ specifier, kind: "type", names: [member] });
  }
  return {
    ImportNamespaceSpecifier(node) {
      if (node.parent.type === "ImportDeclaration") {
        specifiers.set(node.local.name, node.parent.source.value);
      }
    },
    MemberExpression({ object, property, computed }) {
      if (object.type !== "Identifier") return;
      use(object.name, !computed && property.type === "Identifier" ? property.name : "*");
    },
    TSQualifiedName({ left, right }) {
      if (left.type === "Identifier") use(left.name, right.name);
    },
  };
}

/** The names in `const { a, b } = await import(...)`; `*` where the module is used otherwise. */
function awaitedNames(node: Deno.lint.ImportExpression): string[] {
  const waiting = node.parent;
  const declared = waiting.type === "AwaitExpression" ? waiting.parent : null;
  if (declared?.type !== "VariableDeclarator" || declared.id.type !== "ObjectPattern") return ["*"];
  return declared.id.properties.map((it) =>
    it.type === "Property" && it.key.type === "Identifier" ? it.key.name : "*"
  );
}

/** What one child of an export declares: a declaration, or an entry of `export { a as b }`. */
function declaredNames(node: Deno.lint.Node): string[] {
  switch (node.type) {
    case "ExportSpecifier":
      return [nameOf(node.exported)];
    case "VariableDeclaration":
      return node.declarations.flatMap(({ id }) => {
        if (id.type === "Identifier") return [id.name];
        return id.type === "ObjectPattern" ? id.properties.map(boundName) : [];
      });
    case "ClassDeclaration":
    case "FunctionDeclaration":
    case "TSEnumDeclaration":
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
      return node.id === null ? [] : [node.id.name];
    default:
      return [];
  }
}

/** `export const { a, b: c } = ...` declares `a` and `c`. */
function boundName(property: Deno.lint.ObjectPattern["properties"][number]): string {
  const target = property.type === "Property" ? property.value : property.argument;
  return target.type === "Identifier" ? target.name : "*";
}

function nameOf(node: Deno.lint.Identifier | Deno.lint.StringLiteral): string {
  return node.type === "Identifier" ? node.name : node.value;
}

function literalOf(node: Deno.lint.Node): string | null {
  if (node.type === "TSLiteralType") return literalOf(node.literal);
  return node.type === "Literal" && typeof node.value === "string" ? node.value : null;
}
