/**
 * Random requests under random manifests, answered by `weft explain`, by the page's own bundle, by `weft diff` and by a live proxy:
 * all come to the same. `deno run -A tests/page/agreement.ts --requests 100000 [--seed N]`
 */
import assert from "node:assert/strict";
import { Random, randomSeed } from "../../base/random.ts";
import type { DiffReport } from "../../cli/diff/report.ts";
import { run } from "../../cli/run.ts";
import { testEnvironment } from "../../console/testing.ts";
import { makePage } from "../../page/page.ts";
import type { PageFile, PageState } from "../../page/page_data.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import type { Explanation } from "../../routing/table/explanation.ts";
import { definitionTexts } from "../../schemas/crds/definitions.ts";
import { compileInput } from "../../sidecar/compile_input.ts";
import { randomMatch, randomSample } from "../algebra/random_rules.ts";
import { matchItem, serviceWithEndpoint } from "../algebra/rule_objects.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { until } from "../support/until.ts";
import { TracedProxy } from "../traces/traced_proxy.ts";

const BACKENDS = ["v1", "v2", "v3"];
const REQUESTS_A_ROUND = 250;
/** Sent at once on one connection. */
const BATCH = 25;
/** So many of a round are asked of the whole command, which reads the files for each. */
const COMMANDS_A_ROUND = 3;
const FIRST: PageState = {
  files: [],
  namespace: "default",
  isEnforced: false,
  method: "GET",
  url: "",
  mesh: "",
  headers: "",
  from: "",
  count: 1,
};

/** What the page's program leaves in the global object. */
interface PageProgram {
  readDefinitionsFrom(texts: Readonly<Record<string, string>>): void;
  compilePage(files: readonly PageFile[], options: PageState): unknown;
  answerState(compiled: unknown, state: PageState): { readonly explanation?: Explanation };
}

/** The very program of the page, run here without a document. */
async function pageProgram(): Promise<PageProgram> {
  const html = await makePage(FIRST, false);
  const [, script] = /<script>([^]*)<\/script>\s*<\/body>/.exec(html) ?? [];
  assert.ok(script !== undefined, "The page has its program");
  (0, eval)(script);
  const { weftPage } = globalThis as unknown as { weftPage: PageProgram };
  weftPage.readDefinitionsFrom(definitionTexts());
  return weftPage;
}

function manifestsOf(random: Random, port: number, matches: readonly unknown[]): string {
  const services = ["web", ...BACKENDS].flatMap((name) =>
    serviceWithEndpoint({ name }, { address: "127.0.0.1", port })
  );
  const splits = [1, 2, 3].flatMap((each) => [
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: { name: `g${each}` },
      spec: {
        matches: matches.filter((_, index) => index % 3 === each - 1 || random.below(4) === 0),
      },
    },
    {
      apiVersion: "split.smi-spec.io/v1alpha4",
      kind: "TrafficSplit",
      metadata: { name: `s${each}` },
      spec: {
        service: "web",
        matches: [{ kind: "HTTPRouteGroup", name: `g${each}` }],
        backends: BACKENDS.map((service) => ({ service, weight: 1 + random.below(3) })),
      },
    },
  ]);
  return [...services, ...splits].map((object) => JSON.stringify(object)).join("\n---\n");
}

function randomMatches(random: Random): unknown[] {
  return Array.from({ length: 6 }, (_, index) => matchItem(`m${index}`, randomMatch(random)));
}

interface RandomRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** Of one in ten the host is not known. */
function randomRequest(random: Random): RandomRequest {
  const { method, path, headers } = randomSample(random);
  const host = random.below(10) === 0 ? "nowhere" : "web.default";
  return {
    // The endpoint answers each with a body.
    method: method === "HEAD" ? "GET" : method,
    url: `http://${host}${path}`,
    headers: Object.entries(headers),
  };
}

/** What a request comes to, as far as it is not a matter of turns. */
function outcomeText({ rules, route, outcome, reason, status }: Explanation): string {
  const rule = rules.find(({ outcome }) => outcome === "matched");
  const shares = route?.backends.filter(({ share }) => share > 0)
    .map(({ service, share }) => `${service}=${share.toFixed(6)}`);
  return JSON.stringify([rule?.group, rule?.match, route?.split, shares, outcome, reason, status]);
}

/** Of an answer in a diff, and of an explanation. */
function answerKey(rule: string | null, split: string | null): string {
  return `${rule} ${split}`;
}

function keyOf({ rules, route }: Explanation): string {
  const rule = rules.find(({ outcome }) => outcome === "matched");
  return answerKey(rule === undefined ? null : `${rule.group}#${rule.match}`, route?.split ?? null);
}

class Round {
  readonly #page: PageProgram;
  readonly #folder: string;
  readonly #compiled: unknown[];
  readonly #changes: ReadonlySet<string>;

  private constructor(
    page: PageProgram,
    folder: string,
    compiled: unknown[],
    changes: Set<string>,
  ) {
    this.#page = page;
    this.#folder = folder;
    this.#compiled = compiled;
    this.#changes = changes;
  }

  /** Of two manifests with most matches in common. */
  static async start(random: Random, page: PageProgram, folder: string, port: number) {
    const matches = randomMatches(random);
    const compiled: unknown[] = [];
    for (const name of ["old", "new"]) {
      const text = manifestsOf(random, port, matches);
      await Deno.writeTextFile(`${folder}/${name}.yaml`, text);
      compiled.push(page.compilePage([{ name: `${folder}/${name}.yaml`, text }], FIRST));
    }
    const environment = testEnvironment();
    await run(["diff", `${folder}/old.yaml`, `${folder}/new.yaml`, "-o", "json"], environment);
    const report: DiffReport = JSON.parse(environment.stdout.text());
    assert.deepEqual(report.undecided, []);
    const changes = report.requests.map(({ before, after }) =>
      `${answerKey(before.rule, before.split)} -> ${answerKey(after.rule, after.split)}`
    );
    return new Round(page, folder, compiled, new Set(changes));
  }

  /** The page's explanation under the new manifests; what the diff says of the request has been checked. */
  explain(request: RandomRequest): Explanation {
    const [before, after] = this.#compiled.map((compiled) => {
      const headers = request.headers.map(([name, value]) => `${name}: ${value}`).join("\n");
      const { method, url } = request;
      const { explanation } = this.#page.answerState(compiled, { ...FIRST, method, url, headers });
      assert.ok(explanation !== undefined, `The page has no answer to ${JSON.stringify(request)}`);
      return explanation;
    });
    if (outcomeText(before) !== outcomeText(after)) {
      const change = `${keyOf(before)} -> ${keyOf(after)}`;
      const sharesOf = ({ route }: Explanation) =>
        JSON.stringify(route?.backends.map(({ service, share }) => [service, share]));
      // A rule of another name that does the same is no change.
      if (sharesOf(before) !== sharesOf(after)) {
        assert.ok(
          this.#changes.has(change),
          `The diff lacks ${change} of ${JSON.stringify(request)}`,
        );
      }
    }
    return after;
  }

  /** What the command prints, word for word the page's explanation. */
  async checkCommand({ method, url, headers }: RandomRequest, explanation: Explanation) {
    const environment = testEnvironment();
    await run([
      ...["explain", "-f", `${this.#folder}/new.yaml`, "-o", "json", method, url],
      ...headers.flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
    ], environment);
    assert.deepEqual(
      JSON.parse(environment.stdout.text()),
      JSON.parse(JSON.stringify(explanation)),
    );
  }
}

function checkRecord(record: RequestRecord, explanation: Explanation): void {
  const shown = JSON.stringify({ record, explanation });
  const rule = explanation.rules.find(({ outcome }) => outcome === "matched");
  assert.equal(record.rule, rule === undefined ? "" : `${rule.group}/${rule.match}`, shown);
  assert.equal(record.split, explanation.route?.split ?? "", shown);
  assert.equal(record.reason, explanation.reason ?? "", shown);
  if (explanation.outcome === "refuse") {
    return assert.equal(record.status, explanation.status, shown);
  }
  const share = explanation.route?.backends.find(({ service }) => service === record.backend)
    ?.share;
  assert.ok(share !== undefined && share > 0, shown);
}

function headOf({ method, url, headers }: RandomRequest): string {
  const [, host, path] = /^http:\/\/([^/]+)(.*)$/.exec(url) ?? [];
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`;
}

/** Sends requests one after another, without waiting for the answers of a batch. */
async function sendAll(client: RawSocket, requests: readonly RandomRequest[]): Promise<void> {
  for (let i = 0; i < requests.length; i += BATCH) {
    const batch = requests.slice(i, i + BATCH);
    await client.send(batch.map(headOf).join(""));
    for (const _ of batch) await client.readResponse();
  }
}

/** Asks about at least so many requests; how many. */
export async function checkAgreement(requests: number, seed: number): Promise<number> {
  const random = new Random(seed, "agreement");
  const page = await pageProgram();
  await using origin = new ScriptedOrigin(answering(() => ok("here")), { mayFail: true });
  await using proxy = await TracedProxy.start({ driver: "native", spans: null });
  const folder = await Deno.makeTempDir();
  let asked = 0;
  try {
    while (asked < requests) {
      const round = await Round.start(random, page, folder, origin.port);
      const options = { paths: [`${folder}/new.yaml`], recursive: false, namespace: "default" };
      const { plan } = await compileInput({ ...options, permissive: true }, testEnvironment());
      await proxy.proxy.apply(plan);
      const before = proxy.records.length;
      using client = await RawSocket.connect(proxy.port);
      const sent = Array.from({ length: REQUESTS_A_ROUND }, () => randomRequest(random));
      const explanations = sent.map((request) => round.explain(request));
      for (let i = 0; i < COMMANDS_A_ROUND; i++) {
        await round.checkCommand(sent[i], explanations[i]);
      }
      await sendAll(client, sent);
      const count = () => Promise.resolve(proxy.records.length - before);
      await until("the records", count, (seen) => seen === REQUESTS_A_ROUND);
      proxy.records.slice(before).forEach((record, i) => checkRecord(record, explanations[i]));
      asked += REQUESTS_A_ROUND;
    }
  } catch (error) {
    console.error(`seed ${seed}, after ${asked} requests`);
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return asked;
}

if (import.meta.main) {
  const valueOf = (name: string, otherwise: number) => {
    const at = Deno.args.indexOf(name);
    return at === -1 ? otherwise : Number(Deno.args[at + 1]);
  };
  const seed = valueOf("--seed", randomSeed() % 2 ** 31);
  const asked = await checkAgreement(valueOf("--requests", 100_000), seed);
  console.log(`${asked} requests, seed ${seed}: explain, diff, the page and a live proxy agree`);
  Deno.exit(0);
}
