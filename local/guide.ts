/**
 * The canary guide as data: its steps, what each applies, what is asked then and what the guide says comes back. The
 * manifests are in examples/canary/steps.
 */
import { fileURLToPath } from "node:url";
import { shippedFile } from "../base/shipped.ts";

/** Requests that the guide sends in one line, and the answers it prints. */
export interface GuideRequests {
  readonly url: string;
  readonly answers: readonly string[];
}

export interface GuideStep {
  readonly title: string;
  /** One sentence: what this step is for. */
  readonly purpose: string;
  /** A folder of examples/canary/steps; its files replace those of the same name from the steps before. */
  readonly folder: string;
  readonly requests: readonly GuideRequests[];
}

const V1 = "Hi, I am v1!";
const V2 = "Hi, I am v2!";
/** What clients call. */
export const ROOT_AUTHORITY = "httpbin.httpbin:8080";

export const GUIDE: readonly GuideStep[] = [
  {
    title: "Deploy version v1",
    purpose: "One service, httpbin, and one version behind it.",
    folder: "01-deploy-v1",
    requests: [{ url: ROOT_AUTHORITY, answers: [V1, V1, V1, V1] }],
  },
  {
    title: "Send all traffic to v1",
    purpose: "A split before v2 is there, so that deploying it changes nothing.",
    folder: "02-split-all-to-v1",
    requests: [],
  },
  {
    title: "Deploy version v2",
    purpose: "Service httpbin selects v2 too, but the split keeps traffic away from it.",
    folder: "03-deploy-v2",
    requests: [{ url: ROOT_AUTHORITY, answers: [V1, V1, V1, V1] }],
  },
  {
    title: "Canary release",
    purpose: "A quarter of the traffic goes to v2.",
    folder: "04-send-a-quarter-to-v2",
    requests: [{ url: ROOT_AUTHORITY, answers: [V1, V2, V1, V1] }],
  },
  {
    title: "Advanced canary release",
    purpose: "A quarter of what is under /test goes to v2, everything else to v1.",
    folder: "05-only-under-test",
    requests: [
      { url: `${ROOT_AUTHORITY}/test`, answers: [V1, V2, V1, V1] },
      { url: `${ROOT_AUTHORITY}/demo`, answers: [V1, V1, V1, V1] },
    ],
  },
];

/** Where the guide's manifests are, also inside a compiled executable. */
export function guideDirectory(): string {
  return fileURLToPath(shippedFile("examples/canary"));
}

/** A step's own files, by name. */
export async function stepFiles(step: GuideStep): Promise<string[]> {
  const directory = `${guideDirectory()}/steps/${step.folder}`;
  const entries = await Array.fromAsync(Deno.readDir(directory));
  return entries.map(({ name }) => name).filter((name) => name.endsWith(".yaml")).sort()
    .map((name) => `${directory}/${name}`);
}

/** The files in force after a step, later ones in place of earlier ones of the same name. */
export async function filesAfter(stepIndex: number): Promise<string[]> {
  const byName = new Map<string, string>();
  for (const step of GUIDE.slice(0, stepIndex + 1)) {
    for (const path of await stepFiles(step)) byName.set(path.replace(/^.*[/\\]/, ""), path);
  }
  return [...byName.values()];
}
