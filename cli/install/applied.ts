/** Objects that were applied, with what was there before, so that all of it can be taken back. */
import { applyObject, findObject, removeObject } from "../../controller/install/cluster.ts";
import { appliedPart } from "../../controller/install/installations.ts";
import type { ApiObject } from "../../controller/install/objects.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import type { JsonFields } from "../../controller/kube/fields.ts";

export class Applied {
  readonly #client: KubeClient;
  readonly #applied: { readonly object: ApiObject; readonly before: JsonFields | null }[] = [];

  constructor(client: KubeClient) {
    this.#client = client;
  }

  async apply(object: ApiObject): Promise<void> {
    const before = await findObject(this.#client, object);
    this.#applied.push({ object, before });
    await applyObject(this.#client, object);
  }

  /** The last first. */
  async takeBack(): Promise<void> {
    for (const { object, before } of this.#applied.toReversed()) {
      if (before === null) await removeObject(this.#client, object);
      else await applyObject(this.#client, { ...object, ...appliedPart(before) });
    }
  }
}
