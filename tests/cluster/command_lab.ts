/** Commands of weft on a real API server, in the process of a test. No pod runs: the test plays the kubelet. */
import assert from "node:assert/strict";
import { run } from "../../cli/run.ts";
import { testEnvironment } from "../../console/testing.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf } from "../../controller/kube/fields.ts";
import { TestApiServer } from "./api_server.ts";

export const DEPLOYMENTS = "/apis/apps/v1/namespaces/weft-system/deployments/weft-controller";

class CommandLab {
  readonly api: TestApiServer;
  readonly client: KubeClient;

  constructor(api: TestApiServer) {
    this.api = api;
    this.client = api.client();
  }

  async weft(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const environment = testEnvironment({ variables: { KUBECONFIG: this.api.kubeconfig } });
    const code = await run(args, environment);
    return { code, out: environment.stdout.text(), err: environment.stderr.text() };
  }

  async works(...args: string[]): Promise<string> {
    const { code, out, err } = await this.weft(...args);
    assert.equal(code, 0, `weft ${args.join(" ")}: ${err}`);
    return out;
  }

  async fails(message: RegExp, ...args: string[]): Promise<void> {
    const { code, err } = await this.weft(...args);
    assert.notEqual(code, 0, `weft ${args.join(" ")} did not fail`);
    assert.match(err, message);
  }

  /** Every object of every kind, by name. What happens to be told of them, and who holds what for a moment, is none of them. */
  async everything(): Promise<string[]> {
    const kinds = (await this.api.kubectl(["api-resources", "--verbs=list", "-o", "name"]))
      .split("\n").filter((name) => name !== "" && !/^events|^componentstatuses/.test(name));
    const template = '{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\\n"}{end}';
    const listed = await this.api.kubectl(
      ["get", kinds.join(","), "--all-namespaces", "-o", `jsonpath=${template}`],
    );
    return listed.split("\n").filter(Boolean).toSorted();
  }

  async get(path: string) {
    return fieldsOf(await this.client.call("GET", path));
  }

  /** Says of the controllers what a kubelet and the Deployment's controller would, as soon as they are there. */
  playReady(): () => Promise<void> {
    let isOver = false;
    const playing = async () => {
      while (!isOver) {
        const found = await this.get(DEPLOYMENTS).catch(() => null);
        const replicas = fieldsOf(found?.["spec"])["replicas"];
        const observedGeneration = fieldsOf(found?.["metadata"])["generation"];
        const isSeen = fieldsOf(found?.["status"])["observedGeneration"] === observedGeneration;
        if (found !== null && !isSeen) {
          const counts = Object.fromEntries(
            ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
              .map((name) => [name, replicas]),
          );
          await this.client.call("PATCH", `${DEPLOYMENTS}/status`, {
            body: { status: { observedGeneration, ...counts } },
            contentType: "application/merge-patch+json",
          });
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const played = playing();
    return () => {
      isOver = true;
      return played;
    };
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.api.stop();
  }
}

/** With a lab of its own, which ends with it. */
export async function withCommandLab(test: (lab: CommandLab) => Promise<void>): Promise<void> {
  const lab = new CommandLab(await TestApiServer.start());
  lab.api.startControllers(["namespace-controller"]);
  try {
    await test(lab);
  } finally {
    await lab.stop();
  }
}
