/**
 * Certificates on a real API server: two controllers have one authority between them, tokens of pods say who is who, and what becomes of the
 * key's Secret changes no proxy's trust.
 */
import { equal, match, rejects } from "node:assert/strict";
import { until } from "../support/until.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { refuseForeignTokens } from "./foreign_tokens.ts";
import { namePlainCallers } from "./plain_callers.ts";
import { Shop } from "./shop.ts";
import { TestController } from "./test_controller.ts";

const SECRET = "weft-identity-a";

Deno.test({
  name: "identity: certificates come for tokens of pods, and no trust changes by the loss of a key",
  ignore: !HAS_API_SERVER,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const controller = TestController.prepare(api);
    const replica = controller.replica("127.0.0.2");
    const shop = new Shop(api, controller);
    let roots = "";
    let isOver = false;
    // Each goes on where the one before has ended.
    const step = async (name: string, run: () => Promise<void>) => {
      isOver ||= !await t.step(name, run);
    };
    try {
      await shop.prepare();
      await step("two controllers that start together make one authority", async () => {
        await Promise.all([shop.restart(), new Shop(api, replica).restart()]);
        roots = await shop.roots();
        equal(await new Shop(api, replica).roots(), roots);
        equal(await api.answer(["get", "meshrootcertificates", "-o", "name"]), ROOT);
        await replica.stop();
      });
      await step(
        "tokens that are no token of the pod are refused, and counted by reason",
        () => refuseForeignTokens(shop),
      );
      await step("who calls in plain is named by workload", () => namePlainCallers(api));
      await step("a Secret that is gone: signing goes on, and a new start refuses", async () => {
        const saved = await api.kubectl(["get", "secret", SECRET, "-o", "yaml"]);
        await api.kubectl(["delete", "secret", SECRET]);
        equal(await shop.roots(), roots);
        await shop.restart();
        const waiting = shop.sidecar(await shop.token("cart"));
        const problem = () => waiting.keeper.problem ?? "";
        match(await until("it says why", problem, (text) => /Secret/.test(text)), /not there/);
        const condition = () =>
          api.answer([
            "get",
            ROOT,
            "-o",
            "jsonpath={.status.conditions[0].reason} {.status.conditions[0].message}",
          ]);
        match(await until("it is said", condition, (text) => text !== ""), /weft-identity-a/);
        equal(await api.answer(["get", "secret", SECRET, "--ignore-not-found"]), "");
        await api.apply(saved.replace(/^ {2}(uid|resourceVersion|creationTimestamp):.*\n/gm, ""));
        await api.kubectl(["annotate", ROOT, "again=1"]);
        await waiting.keeper.first;
        equal(waiting.trust.pem, roots);
        await waiting.stop();
      });
      await step("a Secret that is edited: the good key stays, and it is said", async () => {
        await api.kubectl(["patch", "secret", SECRET, "-p", '{"stringData":{"tls.key":"none"}}']);
        await api.kubectl(["annotate", ROOT, "once=1"]);
        const said = () => controller.log.filter((line) => /tls\.key of Secret/.test(line)).length;
        await until("it is said", said, (count) => count > 0);
        equal(await shop.roots(), roots);
      });
      await step("objects that are gone change nothing while a controller runs", async () => {
        await api.kubectl(["delete", ROOT]);
        const said = () => controller.log.some((line) => /it stays in use/.test(line));
        await until("it is said", said, (is) => is);
        equal(await shop.roots(), roots);
        equal(await api.answer(["get", ROOT, "--ignore-not-found"]), "");
      });
      await step("roots of one object cannot be made others", async () => {
        await shop.restart();
        const created = () => api.answer(["get", ROOT, "--ignore-not-found", "-o", "name"]);
        await until("it is there again", created, (name) => name === ROOT);
        const patch = ["patch", ROOT, "--type", "merge", "-p", '{"spec":{"roots":"x"}}'];
        await rejects(api.kubectl(patch), /another root is another MeshRootCertificate/);
      });
    } finally {
      await Promise.all([controller.stop(), replica.stop()]);
      await api.stop();
    }
  },
});

const ROOT = "meshrootcertificate.weft.dev/weft-root";
