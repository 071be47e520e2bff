/** What a mesh does with the requests of a case, as text that is reviewed and recorded. */
import { parseCaseRequest } from "./request_line.ts";
import type { MeshAnswer, SimulatedMesh } from "./simulated_mesh.ts";

/** @param requests one a line, and comments */
export function decisionsText(requests: string, mesh: SimulatedMesh): string {
  return requests.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => decisionText(line, mesh)).join("\n");
}

/** The request, its route, the endpoints in the order in which they were picked, and the sum for each backend. */
function decisionText(text: string, mesh: SimulatedMesh): string {
  const line = parseCaseRequest(text, "default");
  const answers = line.method === "TCP" ? mesh.connect(line) : mesh.send(line);
  const routes = [...new Set(answers.map(({ route }) => route).filter((route) => route !== ""))];
  return [
    line.text,
    ...routes.map((route) => `  route ${route}`),
    `  ${runs(answers.map(answerText)).join(" ")}`,
    ...tally(answers).map(([backend, count]) => `  ${backend} ${count}`),
    "",
  ].join("\n");
}

/** Five or more in a row are written once, with their number. */
function runs(items: readonly string[]): string[] {
  const folded: string[] = [];
  for (let start = 0, end; start < items.length; start = end) {
    end = start + 1;
    while (items[end] === items[start]) end++;
    const run = items.slice(start, end);
    folded.push(...(run.length < 5 ? run : [`${items[start]}*${run.length}`]));
  }
  return folded;
}

function answerText({ endpoint, refusal }: MeshAnswer): string {
  return endpoint === null ? refusal : `${endpoint.plan.pod}:${endpoint.plan.port}`;
}

function tally(answers: readonly MeshAnswer[]): [backend: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { backend } of answers) counts.set(backend, (counts.get(backend) ?? 0) + 1);
  return [...counts].filter(([backend]) => backend !== "").sort();
}
