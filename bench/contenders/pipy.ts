/** Pipy as a proxy. It is not packaged for the machines this was written on, so this configuration has not been run. */
import { isInstalled, outputOf } from "../process.ts";
import type { Contender } from "./contender.ts";
import { isListening, write } from "./files.ts";

export const PIPY: Contender = {
  name: "Pipy",
  note: "`--threads=1`",
  takesConnect: false,
  isOtherForm: false,
  version: () => isInstalled("pipy") ? outputOf("pipy", ["-v"]).split("\n")[0] : null,
  can: ({ clients, origins, routes, workers, isPair = false }) =>
    !isPair && clients === "http1" && origins === "http1" && routes === 0 && workers === 1,
  prepare(setting) {
    const [v1, v2] = setting.origins;
    const script = `var canary = new algo.LoadBalancer(
  [{ target: '127.0.0.1:${v1}', weight: 75 }, { target: '127.0.0.1:${v2}', weight: 25 }],
  { key: e => e.target, weight: e => e.weight },
)
var stable = new algo.LoadBalancer([{ target: '127.0.0.1:${v1}' }], { key: e => e.target })
var route = /^\\/test/
var $target
pipy.listen('127.0.0.1:${setting.port}', $ => $
  .demuxHTTP().to($ => $
    .handleMessageStart(m => {
      $target = (route.test(m.head.path) ? canary : stable).allocate()
    })
    .muxHTTP(() => $target).to($ => $.connect(() => $target.target.target))
    .handleMessageEnd(() => $target.free())
  )
)
`;
    return ["pipy", "--threads=1", write(setting, "main.js", script)];
  },
  isReady: isListening,
};
