/** What one pick costs: with nothing under way, and with all endpoints busy. `deno bench proxy/balance`. */
import { BALANCING_ALGORITHM_NAMES } from "../../base/policy.ts";
import { Random } from "../../base/random.ts";
import { balancerOf } from "./algorithms.ts";
import { EndpointGroup } from "./endpoint_group.ts";

const anyOne = () => true;

for (const count of [2, 10, 1_000]) {
  for (const isBusy of [false, true]) {
    for (const algorithm of BALANCING_ALGORITHM_NAMES) {
      const group = new EndpointGroup<number>();
      const targets = Array.from({ length: count }, (_, target) => ({ key: `${target}`, target }));
      group.replace(targets, 0, 0);
      for (const endpoint of group.all) endpoint.active = isBusy ? 10 : 0;
      const balancer = balancerOf(algorithm);
      const random = new Random(1, "bench");
      let hash = 0;
      Deno.bench({
        name: algorithm,
        group: `${count} endpoints, ${isBusy ? "busy" : "idle"}`,
        fn() {
          hash = (hash + 0x9e3779b9) >>> 0;
          const endpoint = balancer.pick(group, 0, random, hash, anyOne);
          // As the oldest request ends when a new one begins.
          if (isBusy && endpoint !== null) endpoint.active = 10 + (hash & 1);
        },
      });
    }
  }
}
