/** nghttpx as a proxy of HTTP/2. */
import { isInstalled, outputOf } from "../process.ts";
import { type Contender, speaksGrpc } from "./contender.ts";
import { isListening, write } from "./files.ts";

export const NGHTTPX: Contender = {
  name: "nghttpx",
  note: "`--workers` is the number of workers",
  takesConnect: false,
  isOtherForm: false,
  version: () => isInstalled("nghttpx") ? outputOf("nghttpx", ["--version"]).trim() : null,
  can: ({ clients, routes }) => clients === "http2" && routes === 0,
  prepare(setting) {
    const { job, port, origins: [v1, v2] } = setting;
    const protocol = speaksGrpc(job.origins) ? ";proto=h2" : "";
    return [
      "nghttpx",
      `--conf=${write(setting, "empty.conf", "")}`,
      `--frontend=127.0.0.1,${port};no-tls`,
      `--backend=127.0.0.1,${v1};/test${protocol};group=a;group-weight=75`,
      `--backend=127.0.0.1,${v2};/test${protocol};group=b;group-weight=25`,
      `--backend=127.0.0.1,${v1};/${protocol}`,
      `--workers=${job.workers}`,
      "--add-x-forwarded-for",
      "--accesslog-file=/dev/null",
    ];
  },
  isReady: isListening,
};
