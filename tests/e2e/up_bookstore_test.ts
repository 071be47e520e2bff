// `weft up --enforce-access` with examples/bookstore: each account has an identity, and gets what the README says.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { runCommand } from "../support/commands.ts";
import { until } from "../support/until.ts";
import { startUp, type UpMesh } from "./weft_process.ts";

const BOOKSTORE = fileURLToPath(new URL("../../examples/bookstore/", import.meta.url));

/** The lines of the README's table. */
function cases(): [from: string, method: string, url: string, wanted: string][] {
  const line = /^\| (\w+) \| `(GET|POST) (\S+)` \| (.+) \|$/gm;
  const text = Deno.readTextFileSync(`${BOOKSTORE}README.md`);
  return Array.from(text.matchAll(line), ([, from, method, url, wanted]) => [
    from,
    method,
    url,
    wanted,
  ]);
}

/** The body and the status. */
async function ask(mesh: UpMesh, from: string, method: string, url: string): Promise<string> {
  const place = mesh.sidecars.get(`${from}/${from}`);
  assert.ok(place !== undefined, [...mesh.sidecars.keys()].join());
  const args = ["-sS", "-X", method, "-w", " %{http_code}", `http://${url}`];
  const env = { http_proxy: `http://${place}`, no_proxy: "", NO_PROXY: "" };
  const { code, stdout, stderr } = await runCommand("curl", args, "", { env });
  assert.equal(code, 0, stderr);
  return stdout.replace(/\s+/g, " ");
}

Deno.test("up: the bookstore sells to the bookbuyer, and refuses the bookthief until a target names it", async () => {
  const folder = await Deno.makeTempDir();
  for (const file of ["apps.yaml", "access.yaml"]) {
    await Deno.copyFile(`${BOOKSTORE}${file}`, `${folder}/${file}`);
  }
  const mesh = await startUp(["-f", folder, "--enforce-access"]);
  try {
    const table = cases();
    assert.equal(table.length, 6);
    for (const [from, method, url, wanted] of table) {
      const printed = mesh.weft.output.length;
      const answer = await ask(mesh, from, method, url);
      const [, status, about] = /^(\d+)(?:: the (\w+))?/.exec(wanted) ?? [];
      assert.match(answer, new RegExp(` ${status}$`), `${from} ${method} ${url}`);
      if (about === undefined) continue;
      const why = new RegExp(`book\\w+/book\\w+.* ${about}: wants `);
      await mesh.weft.printed(why, printed);
    }
    const sold: string[] = [];
    for (let i = 0; i < 4; i++) {
      sold.push(await ask(mesh, "bookbuyer", "GET", "bookstore.bookstore/books-bought"));
    }
    assert.deepEqual(sold.sort(), [
      ...["sold by v1 200", "sold by v1 200", "sold by v2 200", "sold by v2 200"],
    ]);
    const access = await Deno.readTextFile(`${folder}/access.yaml`);
    const source = "{kind: ServiceAccount, name: bookbuyer, namespace: bookbuyer}";
    const thief = source.replaceAll("bookbuyer", "bookthief");
    await Deno.writeTextFile(
      `${folder}/access.yaml`,
      access.replace(source, `${source}, ${thief}`),
    );
    const steal = () => ask(mesh, "bookthief", "GET", "bookstore.bookstore/books-bought");
    await until("the thief is let in", steal, (answer) => / 200$/.test(answer));
  } finally {
    await mesh.weft.stop();
    await Deno.remove(folder, { recursive: true });
  }
});
