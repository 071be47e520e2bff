/** The work of `weft support bug-report`: collects, packs, writes one file. */
import { VERSION } from "../../base/version.ts";
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { installationsIn } from "../../controller/install/installations.ts";
import { WEFT_NAMESPACE } from "../../controller/install/values.ts";
import { memoryEnvironment } from "./memory_environment.ts";
import { check } from "../check/check.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { collectReport } from "./collect.ts";
import { packFiles } from "./tar.ts";

interface ReportOptions extends ClusterOptions {
  readonly outFile?: string | undefined;
  readonly pod: readonly string[];
}

export async function bugReport(
  options: ReportOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  for (const pod of options.pod) {
    if (!/^[-a-z0-9]+\/[-.a-z0-9]+$/.test(pod)) {
      throw usageFailure(`"${pod}" names no pod`, "Write it as NAMESPACE/NAME.");
    }
  }
  const path = options.outFile ?? `weft-${VERSION}-bug-report.tar.gz`;
  stderr.line("[+] Looking whether all is well");
  const looked = memoryEnvironment(environment);
  await check({ ...options, pre: false, output: "json" }, looked.environment);
  const files = await withCluster(options, environment, async (client) => {
    const found = (await installationsIn(client))
      .find(({ namespace }) => options.namespace === undefined || namespace === options.namespace);
    const place = {
      client,
      namespace: found?.namespace ?? options.namespace ?? WEFT_NAMESPACE,
      meshName: found?.meshName,
      pods: options.pod,
    };
    return await collectReport(place, (what) => stderr.line(`[+] Collecting: ${what}`));
  });
  const all = [{ path: "check.json", text: looked.text() }, ...files];
  await Deno.writeFile(path, await packFiles(all));
  stdout.line(`Bug report successfully archived to ${path}: ${all.length} files, no Secrets`);
  return EXIT.ok;
}
