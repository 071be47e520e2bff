/**
 * Shape of a CustomResourceDefinition (apiextensions.k8s.io/v1), as far as ours go. Types only.
 */

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
  readonly anyOf?: readonly OpenApiSchema[];
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
}

interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly additionalPrinterColumns?: readonly {
    readonly name: string;
    readonly type: string;
    readonly description: string;
    readonly jsonPath: string;
  }[];
  readonly schema: { readonly openAPIV3Schema: OpenApiSchema };
}

export interface CustomResourceDefinition {
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
