/** What many routes cost a request. */
import { BASIC_JOB, routePath } from "../contenders/contender.ts";
import { runWrk } from "../load/wrk.ts";
import { loadWorkload } from "./load_workload.ts";

const MANY = 10_000;
/** Requests that wrk has ready: making one for each call would make wrk what is measured. */
const PATHS = 1_000;
/** Coprime to `MANY`: visits every part of the list. */
const STRIDE = 7_919;

/** `count` routes are in use. */
function script(count: number): string {
  const paths = Array.from({ length: PATHS }, (_, i) => `${routePath(i * STRIDE % count)}x`);
  return `local requests, at = {}, 0
init = function()
  for path in string.gmatch("${paths.join(" ")}", "%S+") do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
`;
}

const COUNTS: Readonly<Record<string, number>> = { "1 route": 1, "10 000 routes": MANY };

export const ROUTES = loadWorkload({
  name: "routes",
  title: "1 and 10 000 routes",
  about:
    `GET over 64 kept connections, by path, ${PATHS} of the routes in use. Weft: regular expressions of HTTPRouteGroups, 100 in ` +
    "a group; nginx: locations by prefix; HAProxy: a map of prefixes; Envoy: a list of prefixes, which it goes through.",
  variants: Object.entries(COUNTS).map(([label, routes]) => ({
    label,
    job: { ...BASIC_JOB, routes },
  })),
  loads: [{
    key: "",
    label: "",
    latency: ["p50", "p99"],
    run(target, { routes }) {
      const file = `${target.folder}/routes-${routes}.lua`;
      Deno.writeTextFileSync(file, script(routes));
      return runWrk(target, { connections: 64, scheme: "http", path: "/", script: file });
    },
  }],
  unit: "request",
  tools: ["wrk"],
  hasNoProxy: false,
  hasForms: false,
});
