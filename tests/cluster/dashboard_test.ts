/** Runs dashboard_lab.ts in a network that no other process of this machine can reach. */
import { HAS_PROMETHEUS } from "../prometheus/prometheus.ts";
import { HAS_LAB_NETWORK, runLab } from "./lab_network.ts";

Deno.test({
  name: `dashboard: every panel has an answer of a real Prometheus${
    HAS_PROMETHEUS ? "" : ": needs prometheus and promtool"
  }`,
  ignore: !HAS_LAB_NETWORK || !HAS_PROMETHEUS,
  async fn() {
    await runLab("tests/cluster/dashboard_lab.ts");
  },
});
