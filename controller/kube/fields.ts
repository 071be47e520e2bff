/** JsonFields of JSON and YAML that others wrote, of whatever shape. */

export type JsonFields = Readonly<Record<string, unknown>>;

/** An object, or an empty one in place of anything else. */
export function fieldsOf(value: unknown): JsonFields {
  return typeof value === "object" && value !== null ? value as JsonFields : {};
}

/** Text that is not empty. */
export function textField(fields: JsonFields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}
