/** ListWatch on a real API server: pages, changes, and what is so after the server was away. */
import { deepEqual, equal } from "node:assert/strict";
import { KubeClient, KubeError } from "../../controller/kube/client.ts";
import { ListWatch } from "../../controller/kube/list_watch.ts";
import { overridden } from "../../controller/kube/access.ts";
import { kubeconfigAccess } from "../../controller/kube/kubeconfig.ts";
import { PAGE_OBJECTS, WATCH_SILENCE_MS } from "../../controller/limits.ts";
import { soon, until } from "../support/until.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";

const PATH = "/api/v1/namespaces/default/configmaps";
const AT_ONCE = 50;

/** What a ListWatch has told. */
class Told {
  readonly objects = new Map<string, unknown>();
  readonly troubles: string[] = [];
  puts = 0;
  lists = 0;
  readonly watch: ListWatch;

  restarts = 0;

  constructor(
    client: KubeClient,
    { isMetadataOnly = false, silenceMs = WATCH_SILENCE_MS }: {
      readonly isMetadataOnly?: boolean;
      readonly silenceMs?: number;
    } = {},
  ) {
    this.watch = new ListWatch({
      client,
      silenceMs,
      path: PATH,
      apiVersion: "v1",
      kind: "ConfigMap",
      isMetadataOnly,
      put: (key, object) => {
        this.puts++;
        this.objects.set(key, object["data"] ?? object["metadata"]);
        deepEqual([object["apiVersion"], object["kind"]], ["v1", "ConfigMap"]);
      },
      remove: (key) => this.objects.delete(key),
      onSynced: () => this.lists++,
      onTrouble: (error) => this.troubles.push(String(error)),
      onWell: () => {},
      onRestart: () => this.restarts++,
    });
  }

  valueOf(name: string): unknown {
    return this.objects.get(`default/${name}`);
  }
}

Deno.test({
  name: "list and watch: pages, changes, and an API server that was away",
  ignore: !HAS_API_SERVER,
  // Deno's clients of HTTP end their connections a little later.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const write = (method: string, path: string, name: string, value: string) =>
      client.call(method, path, {
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } },
        ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {}),
      });
    const create = (name: string, value = "1") => write("POST", PATH, name, value);
    const count = 2 * PAGE_OBJECTS + 1;
    try {
      for (let i = 0; i < count; i += AT_ONCE) {
        const names = Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, j) => `m${i + j}`);
        await Promise.all(names.map((name) => create(name)));
      }
      const told = new Told(client);
      const metadata = new Told(client, { isMetadataOnly: true });
      await t.step("a list in pages has all", async () => {
        await until("both are listed", () => told.lists + metadata.lists, (lists) => lists === 2);
        equal(told.objects.size, count);
        equal(told.puts, count);
        deepEqual(told.valueOf("m0"), { value: "1" });
        equal((metadata.valueOf("m0") as { name: string }).name, "m0");
      });
      await t.step("what comes, changes and goes is told", async () => {
        await create("new");
        await write("PATCH", `${PATH}/m0`, "m0", "2");
        await client.call("DELETE", `${PATH}/m1`);
        await until("the last is told", () => told.objects.has("default/m1"), (has) => !has);
        deepEqual([told.valueOf("new"), told.valueOf("m0")], [{ value: "1" }, { value: "2" }]);
        await until("metadata too", () => metadata.objects.has("default/m1"), (has) => !has);
      });
      await t.step("what goes while no watch hears of it is told by the next list", async () => {
        await api.kill();
        await until("it is noticed", () => told.troubles.length, (length) => length > 0);
        await api.resume();
        await client.call("DELETE", `${PATH}/m2`);
        await create("later");
        const isRight = () => !told.objects.has("default/m2") && told.objects.has("default/later");
        await until("all is right", isRight, (right) => right);
        equal(told.objects.size, count);
      });
      await t.step("quiet watches begin again, and one that hangs is found out", async () => {
        const access = kubeconfigAccess({ files: [api.kubeconfig] });
        const hurried = new KubeClient(access, { callMs: 2_000 });
        const quiet = new Told(hurried, { silenceMs: 1_500 });
        await until("it began again", () => quiet.restarts, (restarts) => restarts > 0);
        const { puts } = quiet;
        deepEqual(quiet.troubles, []);
        api.freeze();
        await until("it is noticed", () => quiet.troubles.length, (length) => length > 0);
        api.thaw();
        await create("after");
        await until("what is new is told", () => quiet.objects.has("default/after"), Boolean);
        equal(quiet.puts, puts + 1);
        equal(quiet.lists, 1);
        await quiet.watch.stop();
        hurried.close();
      });
      await t.step(
        "who acts as another user is that one, with all that is said of it",
        async () => {
          const options = {
            ...{ as: "ann", asGroup: ["dev", "ops"], asUid: "7", disableCompression: true },
            asUserExtra: ["scopes=view", "scopes=edit", "example.test/a(b)=c"],
          };
          const access = overridden(kubeconfigAccess({ files: [api.kubeconfig] }), options);
          const other = new KubeClient(access);
          const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
          const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
          const { status: { userInfo } } = await other.call("POST", path, { body: review }) as {
            status: { userInfo: Record<string, unknown> };
          };
          other.close();
          deepEqual(userInfo, {
            ...{ username: "ann", uid: "7", groups: ["dev", "ops", "system:authenticated"] },
            extra: { scopes: ["view", "edit"], "example.test/a(b)": ["c"] },
          });
        },
      );
      await t.step("the API server's own words are the error", async () => {
        const refused = await create("new").catch((error) => error);
        deepEqual(refused, new KubeError(409, 'configmaps "new" already exists'));
      });
      await t.step("a stop ends a watch at once, and nothing is told any more", async () => {
        await Promise.all([told.watch.stop(), metadata.watch.stop()]);
        const { puts } = told;
        await create("unheard");
        equal(told.puts, puts);
      });
      await t.step("a stop as a list has been answered begins no watch", async () => {
        const stopped = Promise.withResolvers<void>();
        const nothing = () => {};
        const watch = new ListWatch({
          ...{ client, path: PATH, apiVersion: "v1", kind: "ConfigMap" },
          ...{ put: nothing, remove: nothing, onTrouble: nothing, onRestart: nothing },
          onWell: nothing,
          onSynced: () => stopped.resolve(watch.stop()),
        });
        await soon("the watch has ended", stopped.promise);
      });
    } finally {
      client.close();
      await api.stop();
    }
  },
});
