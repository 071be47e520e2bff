/** A JSON patch (RFC 6902) of single additions and replacements: other webhooks change the same pod, so no list is ever replaced. */

export type PatchOperation =
  | {
    readonly op: "add" | "replace";
    /** A JSON pointer. */
    readonly path: string;
    readonly value: unknown;
  }
  | { readonly op: "remove"; readonly path: string };

/** Writes a patch against one object: an operation sees what those before it have made. */
export class PatchWriter {
  readonly operations: PatchOperation[] = [];
  readonly #made = new Set<string>();

  remove(path: readonly (string | number)[]): void {
    this.operations.push({ op: "remove", path: pointer(path) });
  }

  replace(path: readonly (string | number)[], value: unknown): void {
    this.operations.push({ op: "replace", path: pointer(path), value });
  }

  /** Puts an item first into the list at `path`, which is `list` in the object as it was. */
  prepend(path: readonly string[], list: readonly unknown[] | undefined, value: unknown): void {
    this.#insert(path, list, "0", value, [value]);
  }

  append(path: readonly string[], list: readonly unknown[] | undefined, value: unknown): void {
    this.#insert(path, list, "-", value, [value]);
  }

  /** Sets a key of the map at `path`, which is `map` in the object as it was. */
  set(path: readonly string[], map: object | undefined, key: string, value: unknown): void {
    this.#insert(path, map, key, value, { [key]: value });
  }

  #insert(
    path: readonly string[],
    old: object | undefined,
    at: string,
    value: unknown,
    first: unknown,
  ): void {
    const whole = pointer(path);
    const isThere = old !== undefined || this.#made.has(whole);
    this.#made.add(whole);
    this.operations.push(
      isThere
        ? { op: "add", path: pointer([...path, at]), value }
        : { op: "add", path: whole, value: first },
    );
  }
}

/** A JSON pointer to where the steps lead. */
export function pointer(path: readonly (string | number)[]): string {
  return path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`)
    .join("");
}

/** A copy of `object` with the operations of a {@link PatchWriter} done, as an API server does them. */
export function applyPatch<T>(object: T, operations: readonly PatchOperation[]): T {
  const copy = structuredClone(object);
  for (const operation of operations) {
    const steps = stepsOf(operation.path);
    const last = steps.pop() ?? "";
    const parent = steps.reduce<unknown>(childOf, copy);
    const values = operation.op === "remove" ? [] : [structuredClone(operation.value)];
    if (Array.isArray(parent)) {
      const index = last === "-" ? parent.length : Number(last);
      parent.splice(index, operation.op === "add" ? 0 : 1, ...values);
    } else if (operation.op === "remove") {
      delete (parent as Record<string, unknown>)[last];
    } else {
      (parent as Record<string, unknown>)[last] = values[0];
    }
  }
  return copy;
}

/** The steps of a JSON pointer. */
export function stepsOf(path: string): string[] {
  return path.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function childOf(parent: unknown, step: string): unknown {
  return (parent as Record<string, unknown>)[step];
}
