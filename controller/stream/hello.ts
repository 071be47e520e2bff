/** The first line of a proxy: who it is. */
import { fieldsOf, textField } from "../kube/fields.ts";

export interface Hello {
  readonly token: string;
  readonly pod: string;
  readonly namespace: string;
  /** Of this run of the proxy. */
  readonly bootId: string;
  /** Of its program. */
  readonly version: string;
}

/** Null: it is none. */
export function helloIn(line: string): Hello | null {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = fieldsOf(JSON.parse(line));
  } catch {
    return null;
  }
  const namespace = textField(fields, "namespace");
  if (namespace === undefined) return null;
  const text = (name: string) => textField(fields, name) ?? "";
  return {
    namespace,
    token: text("token"),
    pod: text("pod"),
    bootId: text("bootId"),
    version: text("version"),
  };
}

/** The hash that a line acknowledges; null: it is another line. */
export function acknowledgedBy(line: string): string | null {
  return /^\{"ack":"([0-9a-f]{64})"\}$/.exec(line)?.[1] ?? null;
}
