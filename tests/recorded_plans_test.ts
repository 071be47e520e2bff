/** Plans of every version so far are read, and decide as they did (tests/recorded/README.md). */
import { equal } from "node:assert/strict";
import { canonicalJson } from "../base/canonical_json.ts";
import { decodePlan, encodePlan } from "../routing/plan_codec.ts";
import { decisionsText } from "./support/decisions_text.ts";
import { SimulatedMesh } from "./support/simulated_mesh.ts";

const RECORDED = new URL("recorded/", import.meta.url);

function foldersIn(folder: URL): string[] {
  return [...Deno.readDirSync(folder)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).sort();
}

for (const version of foldersIn(RECORDED)) {
  for (const name of foldersIn(new URL(`${version}/`, RECORDED))) {
    Deno.test(`recorded ${version}, ${name}: it is read, and decides as it did`, () => {
      const read = (file: string) =>
        Deno.readTextFileSync(new URL(`${version}/${name}/${file}`, RECORDED));
      const text = read("plan.json");
      const decoded = decodePlan(text);
      if (!decoded.ok) throw new Error(decoded.message);
      equal(encodePlan(decoded.plan), canonicalJson(JSON.parse(text)));
      equal(
        decisionsText(read("requests.txt"), SimulatedMesh.of(decoded.plan)),
        read("decisions.txt"),
      );
    });
  }
}
