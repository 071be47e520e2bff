// Tests of readings of sidecars: who asks first waits for two, later ones look back as far as they ask.
import { deepEqual, equal, ok } from "node:assert/strict";
import { SidecarHistory } from "./sidecar_history.ts";

Deno.test("sidecar history: the first question reads twice; a pod that does not answer is left out", async () => {
  let readings = 0;
  const pods = ["a", "b"].map((name) => ({
    ...{ namespace: "shop", name, address: name },
    workload: "Deployment/web",
  }));
  const history = new SidecarHistory({
    pods: () => pods,
    read(address) {
      if (address === "b") return Promise.reject(new Error("no sidecar"));
      const count = ++readings * 100;
      return Promise.resolve(
        `response_total{direction="inbound",pod="a",classification="success"} ${count}\n`,
      );
    },
  });
  try {
    const [first, second] = await Promise.all([history.window(30_000), history.window(30_000)]);
    for (const { seconds, traffic } of [first, second]) {
      ok(seconds >= 2, String(seconds));
      deepEqual(traffic.map(({ pod, counts }) => [pod.name, counts.application.count]), [
        ["a", 100],
      ]);
    }
    equal(readings, 2);
    const { traffic } = await history.window(2_000);
    equal(traffic[0].counts.application.count, 100, "what was read a moment ago is not read again");
    equal(readings, 2);
  } finally {
    await history.stop();
  }
});
