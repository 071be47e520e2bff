/** ReleaseWatch: the splits, Canaries and Rollouts of a node, as watches tell of them: what waits for a change asks the API server nothing. */
import { until } from "../../support/until.ts";
import { KubeClient, KubeError } from "../../../controller/kube/client.ts";
import { fieldsOf, type JsonFields } from "../../../controller/kube/fields.ts";
import { kubeconfigAccess } from "../../../controller/kube/kubeconfig.ts";
import { ListWatch } from "../../../controller/kube/list_watch.ts";
import { NODE } from "../node/on_node.ts";

/** How far a release is. */
export interface ReleaseState {
  /** Of the backend with the new version, of 100; undefined: there is no split. */
  readonly canaryWeight: number | undefined;
  readonly generation: number;
  /** The controller's word for it. */
  readonly phase: string;
}

const KINDS = {
  TrafficSplit: { apiVersion: "split.smi-spec.io/v1alpha4", plural: "trafficsplits" },
  Canary: { apiVersion: "flagger.app/v1beta1", plural: "canaries" },
  Rollout: { apiVersion: "argoproj.io/v1alpha1", plural: "rollouts" },
} as const;

type ReleaseKind = keyof typeof KINDS;

/** Of every release. */
const NAME = "web";

export class ReleaseWatch {
  readonly #client = new KubeClient(kubeconfigAccess({ files: [`${NODE}/kubeconfig`] }));
  /** By kind, namespace and name. */
  readonly #objects = new Map<string, JsonFields>();
  readonly #watches: readonly ListWatch[];
  #synced = 0;

  private constructor(kinds: readonly ReleaseKind[]) {
    this.#watches = kinds.map((kind) => {
      const { apiVersion, plural } = KINDS[kind];
      return new ListWatch({
        client: this.#client,
        path: `/apis/${apiVersion}/${plural}`,
        apiVersion,
        kind,
        put: (key, object) => this.#objects.set(`${kind}/${key}`, object),
        remove: (key) => this.#objects.delete(`${kind}/${key}`),
        onSynced: () => this.#synced++,
        onTrouble: (error) => console.warn(`${kind}: ${error}`),
        onWell() {},
        onRestart() {},
      });
    });
  }

  /** Splits, and what makes them. */
  static async start(...makers: readonly ReleaseKind[]): Promise<ReleaseWatch> {
    const watch = new ReleaseWatch(["TrafficSplit", ...makers]);
    await until("all is listed", () => watch.#synced, (synced) => synced >= watch.#watches.length);
    return watch;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.stop()));
    this.#client.close();
  }

  // deno-lint-ignore no-explicit-any -- an object of Kubernetes
  object(kind: ReleaseKind, namespace: string): any {
    return this.#objects.get(`${kind}/${namespace}/${NAME}`);
  }

  /** The split of a release, as a controller has written it. */
  splitState(namespace: string): Omit<ReleaseState, "phase"> {
    const split = this.object("TrafficSplit", namespace);
    const backends: { service: string; weight: unknown }[] = split?.spec.backends ?? [];
    const weight = backends.find(({ service }) => service === `${NAME}-canary`)?.weight;
    return {
      canaryWeight: weight === undefined ? undefined : Number(weight),
      generation: split?.metadata.generation ?? 0,
    };
  }

  /** As it is now, whatever has been told. */
  async splitGeneration(namespace: string): Promise<unknown> {
    const { apiVersion, plural } = KINDS.TrafficSplit;
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}/${NAME}`;
    return fieldsOf(fieldsOf(await this.#client.call("GET", path))["metadata"])["generation"];
  }

  /** Whether every sidecar has the split as it is written; null: no controller answers. It takes two seconds to say no. */
  async isProgrammed(namespace: string): Promise<boolean | null> {
    const controller = "/api/v1/namespaces/weft-system/services/weft-controller:15000/proxy";
    try {
      const question = `/rollout/ready?split=${namespace}/${NAME}`;
      await this.#client.text("POST", `${controller}${question}`);
      return true;
    } catch (error) {
      return error instanceof KubeError && error.status === 409 ? false : null;
    }
  }
}
