/** Weft: the executable where there is one, and how running from source or with the portable driver differs from it. */
import type { Contender, Setting } from "./contender.ts";
import { beside, existing, runToEnd, write } from "./files.ts";
import { meshManifests, pairManifests } from "./mesh.ts";
import { isPairListening, pairOf } from "./pair.ts";

const EXECUTABLE = existing(beside(import.meta.url, "../../dist/weft"));
const FROM_EXECUTABLE = EXECUTABLE === null ? null : [EXECUTABLE];
const FROM_SOURCE = [
  Deno.execPath(),
  ...["run", "--no-prompt", "--allow-all", beside(import.meta.url, "../../main.ts")],
];

/** One of the ways to run Weft. */
interface WeftContender extends Contender {
  /** What `weft` is there. */
  readonly command: readonly string[];
}

function weft(form: {
  name: string;
  command: readonly string[] | null;
  driver: "native" | "portable";
  isOtherForm: boolean;
}): WeftContender {
  const command = form.command ?? FROM_SOURCE;
  const how = command === FROM_SOURCE ? "`deno run main.ts`" : "`dist/weft`";
  return {
    name: form.name,
    note: `${how}, ${form.driver} driver`,
    command,
    takesConnect: true,
    isOtherForm: form.isOtherForm,
    version: () => runToEnd([...command, "version"]).trim(),
    // A captured connection is the native driver's, and so is a mesh.
    can: ({ isPair = false }) => !isPair || form.driver === "native",
    prepare: (setting) =>
      setting.job.isPair === true
        ? sidecarPair(command, form.driver, setting)
        : proxyCommand(command, form.driver, setting),
    isReady: async (setting) =>
      (setting.job.isPair !== true || await isPairListening(setting)) &&
      await answersReady(setting.adminPort),
  };
}

function proxyCommand(
  command: readonly string[],
  driver: string,
  setting: Setting,
): string[] {
  const { job, port, adminPort, certificate } = setting;
  const manifests = write(setting, "mesh.yaml", meshManifests(setting.origins, job));
  const plan = runToEnd([...command, "dry-run", "-f", manifests, "-o", "plan"]);
  const args = ["proxy", "--plan", write(setting, "plan.json", plan), "--driver", driver];
  args.push("--outbound", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${adminPort}`);
  args.push("--accept-timeout", "none");
  if (job.workers > 1) args.push("--workers", String(job.workers));
  if (job.clients === "tls") {
    args.push("--outbound-tls-cert", certificate.chain, "--outbound-tls-key", certificate.key);
  }
  if (job.hasExtras !== true) return [...command, ...args];
  // The origin answers what it is sent of spans, as a collector would.
  const collector = `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:${setting.origins[0]}`;
  args.push("--access-log", "json", "--trace-sample", "0.01");
  return ["env", collector, ...command, ...args];
}

/** As injected sidecars are, but for capture. */
function sidecarPair(command: readonly string[], driver: string, setting: Setting): string[] {
  const { port, adminPort, peerPort, origins: [origin], certificate: { identity } } = setting;
  const manifests = write(setting, "mesh.yaml", pairManifests(peerPort));
  const plan = write(
    setting,
    "plan.json",
    runToEnd([...command, "dry-run", "-f", manifests, "-o", "plan"]),
  );
  const common = ["proxy", "--plan", plan, "--driver", driver, "--identity", identity];
  const client = [
    ...common,
    "--outbound",
    `127.0.0.1:${port}`,
    "--admin",
    `127.0.0.1:${adminPort}`,
  ];
  const server = [
    ...[...common, "--inbound", `127.0.0.1:${peerPort}`, "--app", `127.0.0.1:${origin}`],
    ...["--outbound", "127.0.0.1:0", "--admin", "off", "--namespace", "httpbin"],
  ];
  return pairOf([...command, ...client], [...command, ...server]);
}

async function answersReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

const NATIVE = { driver: "native", isOtherForm: false } as const;
const SOURCE_NATIVE = { ...NATIVE, command: null, isOtherForm: true };

/** The first is what the others are compared with; without an executable it runs from source. */
export const WEFTS: readonly WeftContender[] = [
  weft({ ...NATIVE, name: "Weft", command: FROM_EXECUTABLE }),
  ...(FROM_EXECUTABLE === null ? [] : [weft({ ...SOURCE_NATIVE, name: "Weft from source" })]),
  weft({ ...SOURCE_NATIVE, name: "Weft, portable driver", driver: "portable" }),
];

export const BEFORE = "Weft before";

/** An earlier executable: rounds alternate, so the two are compared at the same time on the same machine. */
export function weftBefore(path: string): Contender {
  return weft({ ...NATIVE, name: BEFORE, command: [path] });
}
