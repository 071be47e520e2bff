/** What the other controllers say of a split: each is asked directly, because each knows only the proxies that are connected to it. */
import { serverAccess } from "../kube/access.ts";
import { KubeClient } from "../kube/client.ts";
import { fieldsOf } from "../kube/fields.ts";
import { ROLLOUT_ASK_MS } from "../limits.ts";
import type { ReplicaState } from "./state.ts";

/** Where a replica says what it alone knows. */
export const REPLICA_PATH = "/rollout/replica";

/** Null: it did not answer, or knows nothing of the split. */
export async function askReplica(
  address: string,
  port: number,
  split: string,
): Promise<ReplicaState | null> {
  const host = address.includes(":") ? `[${address}]` : address;
  const client = new KubeClient(serverAccess(`http://${host}:${port}`));
  try {
    const path = `${REPLICA_PATH}?${new URLSearchParams({ split })}`;
    const state = await client.call("GET", path, { limitMs: ROLLOUT_ASK_MS });
    return isReplicaState(state) ? state : null;
  } catch {
    return null;
  } finally {
    client.close();
  }
}

function isReplicaState(value: unknown): value is ReplicaState {
  const { replica, uid, generation, isNew, proxies } = fieldsOf(value);
  return typeof replica === "string" && typeof uid === "string" &&
    typeof generation === "number" && typeof isNew === "boolean" &&
    Object.values(fieldsOf(proxies)).every((each) => {
      const { state, forMs } = fieldsOf(each);
      return typeof state === "string" && typeof forMs === "number";
    });
}
