/**
 * The CustomResourceDefinitions that Weft ships: the YAML files beside this one, each read when it is first asked for. A
 * compiled executable has them embedded.
 */
import { shippedFile } from "../../base/shipped.ts";
import { readYaml } from "../yaml.ts";
import type { CustomResourceDefinition } from "./definition.ts";

const FILES: Readonly<Record<string, string>> = {
  TrafficSplit: "trafficsplits.yaml",
  HTTPRouteGroup: "httproutegroups.yaml",
  TCPRoute: "tcproutes.yaml",
  TrafficTarget: "traffictargets.yaml",
  TrafficPolicy: "trafficpolicies.yaml",
};

const read = new Map<string, CustomResourceDefinition>();

/** The definition of a kind of ours; undefined for any other kind. */
export function definitionOf(kind: string): CustomResourceDefinition | undefined {
  const known = read.get(kind);
  if (known !== undefined || !Object.hasOwn(FILES, kind)) return known;
  const text = Deno.readTextFileSync(shippedFile(`schemas/crds/${FILES[kind]}`));
  const [document] = readYaml(text, 0, text.length, (error) => {
    throw error;
  });
  // Its shape is what crds_test.ts holds every file to.
  const definition = document.value as CustomResourceDefinition;
  read.set(kind, definition);
  return definition;
}
