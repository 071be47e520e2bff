/** docs/install.md lists every value of an installation and every right of the controller, as they are declared. */
import assert from "node:assert/strict";
import { INSTALL_DOC_PATH, withInstallTables } from "../tools/install_doc.ts";
import { readFile } from "../tools/repository.ts";

Deno.test("docs: the tables of values and rights are those declared, as `deno task install-doc` makes them", () => {
  const text = readFile(INSTALL_DOC_PATH);
  assert.ok(text.includes("| `replicaCount` | `2` | controllers |"));
  assert.ok(text.includes("| `authentication.k8s.io` | `tokenreviews` | create |"));
  assert.equal(text, withInstallTables(text));
});
