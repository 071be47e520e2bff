/** All objects of a list, page by page. */
import { PAGE_OBJECTS } from "../limits.ts";
import type { KubeClient } from "./client.ts";
import { fieldsOf, type JsonFields, textField } from "./fields.ts";

/** @throws as `KubeClient.call` */
export async function allItems(
  client: KubeClient,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<JsonFields[]> {
  const found: JsonFields[] = [];
  for (let token: string | undefined = "";;) {
    const parameters = new URLSearchParams({ ...query, limit: `${PAGE_OBJECTS}` });
    if (token !== "") parameters.set("continue", token);
    const page = fieldsOf(await client.call("GET", `${path}?${parameters}`));
    found.push(...Array.isArray(page["items"]) ? page["items"].map(fieldsOf) : []);
    token = textField(fieldsOf(page["metadata"]), "continue");
    if (token === undefined) return found;
  }
}
