/**
 * The CustomResourceDefinitions that Weft ships: the YAML files beside this one, each read when it is first asked for. A
 * compiled executable has them embedded; a page in a browser hands in what it was built with.
 */
import type { FieldPath } from "../../base/finding.ts";
import { shippedFile } from "../../base/shipped.ts";
import { readYaml } from "../yaml.ts";

/** A structural OpenAPI v3 schema, with the keywords that our definitions use. */
export interface OpenApiSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly anyOf?: readonly OpenApiSchema[];
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-validations"?: readonly {
    readonly rule: string;
    readonly message: string;
  }[];
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  /** The API server allows none beside an `anyOf` at the top of a schema. */
  readonly subresources?: { readonly status: Readonly<Record<string, never>> };
  readonly additionalPrinterColumns?: readonly {
    readonly name: string;
    readonly type: string;
    readonly description: string;
    readonly jsonPath: string;
  }[];
  readonly schema: { readonly openAPIV3Schema: OpenApiSchema };
}

interface CustomResourceDefinition {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
    };
    readonly conversion: { readonly strategy: string };
    readonly versions: readonly CustomResourceVersion[];
  };
}

const FILES: Readonly<Record<string, string>> = {
  TrafficSplit: "trafficsplits.yaml",
  HTTPRouteGroup: "httproutegroups.yaml",
  TCPRoute: "tcproutes.yaml",
  TrafficTarget: "traffictargets.yaml",
  TrafficPolicy: "trafficpolicies.yaml",
  Egress: "egresses.yaml",
  IngressBackend: "ingressbackends.yaml",
  MeshConfig: "meshconfigs.yaml",
  MeshRootCertificate: "meshrootcertificates.yaml",
};

/** The kinds that have a definition. */
export const KINDS_DEFINED: readonly string[] = Object.keys(FILES);

const read = new Map<string, CustomResourceDefinition>();

let readText = (file: string): string => Deno.readTextFileSync(shippedFile(`schemas/crds/${file}`));

/** For where there are no files: what each of ours holds. */
export function readDefinitionsFrom(texts: Readonly<Record<string, string>>): void {
  readText = (file) => texts[file];
}

/** The files of the definitions, and what they hold. */
export function definitionTexts(): Record<string, string> {
  return Object.fromEntries(Object.values(FILES).map((file) => [file, readText(file)]));
}

/** The definition of a kind of ours; undefined for any other kind. */
export function definitionOf(kind: string): CustomResourceDefinition | undefined {
  const known = read.get(kind);
  if (known !== undefined || !Object.hasOwn(FILES, kind)) return known;
  const text = readText(FILES[kind]);
  const [document] = readYaml(text, 0, text.length, (error) => {
    throw error;
  });
  // Its shape is what crds_test.ts holds every file to.
  const definition = document.value as CustomResourceDefinition;
  read.set(kind, definition);
  return definition;
}

/** The part of a schema for what stands at a path of a value; undefined: it has none. */
export function schemaAt(root: OpenApiSchema, path: FieldPath): OpenApiSchema | undefined {
  return path.reduce<OpenApiSchema | undefined>(
    (schema, key) => typeof key === "number" ? schema?.items : propertyOf(schema, key),
    root,
  );
}

/** Names come from the input: `constructor` is a property of every object. */
export function propertyOf(
  schema: OpenApiSchema | undefined,
  name: string,
): OpenApiSchema | undefined {
  return Object.getOwnPropertyDescriptor(schema?.properties ?? {}, name)?.value;
}
