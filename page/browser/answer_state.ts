/** The page's state to all that the page has to say of it. The core's own answers; nothing is decided or worded here. */
import type { Finding } from "../../base/finding.ts";
import { CommandFailure } from "../../console/exit.ts";
import { sortFindings } from "../../console/findings.ts";
import { askedText, parseAsked, parseHeaders, parseSender } from "../../console/values.ts";
import { compileText, explainRequestOf } from "../../offline/answer.ts";
import { type ExplainStep, explainSteps } from "../../offline/explain_steps.ts";
import { inStatusOf, MESH_NAMES, viewAs } from "../../offline/compat/meshes.ts";
import { simulate, type Simulation } from "../../offline/simulate.ts";
import { checkRules } from "../../routing/algebra/check_rules.ts";
import { carriesHttp, type Plan, type PlanService } from "../../routing/plan.ts";
import type { Explanation } from "../../routing/table/explanation.ts";
import { ReadMemory } from "../../schemas/read_memory.ts";
import { PICTURE_REQUESTS_MAX } from "../limits.ts";
import type { PageFile, PageState } from "../page_data.ts";

/** What manifests alone come to. */
interface CompiledPage {
  /** Of the mesh that answers. */
  readonly plan: Plan;
  /** Null: it is Weft. */
  readonly view: ReturnType<typeof viewAs> | null;
  /** Worst first, those of the rules among them. */
  readonly findings: readonly Finding[];
  /** A URL for each HTTP port of each Service. */
  readonly urls: readonly string[];
}

export interface PageAnswer {
  /** `METHOD URL`. */
  readonly title: string;
  readonly explanation: Explanation;
  readonly steps: readonly ExplainStep[];
  readonly simulation: Simulation;
}

/** Why the request cannot be asked about. */
export interface PageProblem {
  readonly message: string;
  readonly hint: string;
}

/** Files that nothing was typed in are not read again. */
let memory = { namespace: "", read: new ReadMemory() };

export function compilePage(
  files: readonly PageFile[],
  { namespace, isEnforced, mesh }: Pick<PageState, "namespace" | "isEnforced" | "mesh">,
): CompiledPage {
  if (memory.namespace !== namespace) memory = { namespace, read: new ReadMemory() };
  const compiled = compileText(files, { namespace, permissive: !isEnforced }, memory.read);
  const { plan, findings } = compiled;
  const as = MESH_NAMES.find(([id]) => id === mesh)?.[0];
  const urls = plan.services.flatMap((service) => urlsOf(service))
    // What a split is for comes first: that is what there is to look at.
    .sort((a, b) => Number(b.isSplit) - Number(a.isSplit)).map(({ url }) => url);
  const view = as === undefined ? null : viewAs(as, compiled.snapshot, !isEnforced);
  return {
    plan: view?.plan ?? plan,
    view,
    findings: sortFindings([...findings, ...checkRules(plan, findings)]),
    urls,
  };
}

function urlsOf({ namespace, name, ports }: PlanService) {
  return ports.map(({ port, protocol, rules, fallback }) => ({
    url: carriesHttp(protocol)
      ? `http://${name}.${namespace}:${port}/`
      : `tcp://${name}.${namespace}:${port}`,
    isSplit: rules.length > 0 || fallback.split !== null,
  }));
}

export function answerState(
  { plan, view, urls }: CompiledPage,
  state: Omit<PageState, "files" | "isEnforced">,
): PageAnswer | PageProblem {
  try {
    const url = state.url.trim() || (urls[0] ?? "");
    if (url === "") {
      return { message: "The manifests have no Service", hint: "Paste some on the left." };
    }
    const request = parseAsked(/^tcp:/i.test(url) ? url : `${state.method} ${url}`);
    const lines = state.headers.split("\n").filter((line) => line.trim() !== "");
    const headers = parseHeaders(lines, request);
    const from = parseSender(state.from.trim() || state.namespace);
    const own = explainRequestOf(plan, { ...request, headers, from });
    const explanation = view === null ? own : inStatusOf(view, own);
    return {
      title: askedText(request),
      explanation,
      steps: explainSteps(request, explanation),
      simulation: simulate(
        plan,
        { ...request, headers, from, count: state.count },
        PICTURE_REQUESTS_MAX,
      ),
    };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return { message: error.message, hint: error.hint };
  }
}
