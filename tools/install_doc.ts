/**
 * `deno task install-doc`: writes the tables of values, rights and fields of MeshConfig in docs/install.md from where they are declared.
 * tests/install_doc_test.ts fails while they are not what this makes.
 */
import { CONTROLLER_RULES, NAMESPACE_RULES } from "../controller/install/rbac.ts";
import { VALUE_KEYS, valueAdvice } from "../controller/install/values.ts";
import { MESH_CONFIG_FIELDS } from "../controller/mesh_config.ts";
import { definitionOf, schemaAt } from "../schemas/crds/definitions.ts";
import { readFile, ROOT } from "./repository.ts";

export const INSTALL_DOC_PATH = "docs/install.md";

/** `text` with today's tables in place of those that it has. */
export function withInstallTables(text: string): string {
  const values = VALUE_KEYS.map((key) => {
    const { standard, meaning } = valueAdvice(key);
    return `| \`${key}\` | ${standard === "" ? "" : `\`${standard}\``} | ${meaning} |`;
  });
  const rules = [...CONTROLLER_RULES, ...NAMESPACE_RULES].map((
    { apiGroups: [group], resources, verbs, why },
  ) =>
    `| ${group === "" ? "" : `\`${group}\``} | \`${resources.join("`, `")}\` | ${
      verbs.join(", ")
    } | ${why} |`
  );
  const fields = MESH_CONFIG_FIELDS.map(({ path, acts }) =>
    `| \`${path.join(".")}\` | ${meaningOf(path)} | ${acts} |`
  );
  const tables = { Value: values, Group: rules, Field: fields };
  return Object.entries(tables).reduce((made, [head, rows]) => replaced(made, head, rows), text);
}

/** As its definition says. */
function meaningOf(path: readonly string[]): string {
  const root = definitionOf("MeshConfig")?.spec.versions[0].schema.openAPIV3Schema;
  return (root && schemaAt(root, ["spec", ...path])?.description) ?? "";
}

/** The rows below the table whose first column has this head. */
function replaced(text: string, head: string, rows: readonly string[]): string {
  const table = new RegExp(`(^\\| ${head} \\|.*\\n\\|.*\\n)(?:\\|.*\\n)*`, "m");
  return text.replace(table, (_, heads) => `${heads}${rows.join("\n")}\n`);
}

if (import.meta.main) {
  Deno.writeTextFileSync(
    new URL(INSTALL_DOC_PATH, ROOT),
    withInstallTables(readFile(INSTALL_DOC_PATH)),
  );
}
