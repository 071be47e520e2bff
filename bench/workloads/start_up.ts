/** How long Weft takes to start. */
import { BASIC_JOB } from "../contenders/contender.ts";
import { runToEnd } from "../contenders/files.ts";
import { WEFTS } from "../contenders/weft.ts";
import { PinnedProcess } from "../process.ts";
import { median, type Row } from "../report.ts";
import { proxyCores } from "../session.ts";
import type { BenchWorkload } from "./workload.ts";

const STARTS = 7;

export const START_UP: BenchWorkload = {
  name: "start-up",
  title: "Start-up",
  about: `Median of ${STARTS} starts: \`weft version\`, and a sidecar until \`/readyz\` says so.`,
  columns: [
    { key: "versionMs", title: "`weft version`, ms", digits: 0 },
    { key: "readyMs", title: "sidecar, ms", digits: 0 },
  ],
  compared: null,
  async measure(session) {
    const rows: Row[] = [];
    for (const contender of WEFTS) {
      if (!session.contenders().has(contender)) continue;
      const setting = await session.settingOf(contender, BASIC_JOB);
      const command = contender.prepare(setting);
      const versions: number[] = [];
      const sidecars: number[] = [];
      for (let i = 0; i < STARTS; i++) {
        const started = performance.now();
        runToEnd([...contender.command, "version"]);
        versions.push(performance.now() - started);
        const process = new PinnedProcess(command, proxyCores(1), `${setting.folder}/log`);
        sidecars.push(await process.waitUntil(() => contender.isReady(setting)));
        await process.stop();
      }
      const values = { versionMs: median(versions), readyMs: median(sidecars) };
      rows.push({ contender: contender.name, variant: "", values });
    }
    return rows;
  },
};
