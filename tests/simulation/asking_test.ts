/** What a proxy does while it does not know yet what a host is: it asks once, and waits so long and no longer. */
import { deepEqual, equal, match } from "node:assert/strict";
import { PLAN_ANSWER_MS, QUESTION_LIFE_MS } from "../../proxy/limits.ts";
import { planForTest, serviceForTest } from "../../routing/table/plan_for_test.ts";
import type { Plan } from "../../routing/plan.ts";
import { hostQuestion } from "../../routing/source/messages.ts";
import { AskingScenario } from "./asking.ts";
import { drawPlan, NAMESPACE, ORIGIN_PORT } from "./generate.ts";
import { CalmNetwork, type End } from "./scenario.ts";

const GET = "GET /t HTTP/1.1\r\nHost: svc0.sim\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const SVC0 = hostQuestion(NAMESPACE, "svc0.sim");

/** `svc0.sim` and `svc1.sim`, with one endpoint each. */
function planOf(...names: readonly string[]): Plan {
  const services = names.map((name, i) => ({
    name,
    protocol: "http1" as const,
    addresses: [`10.0.0.${i + 1}`],
  }));
  return drawPlan(new CalmNetwork().world, services, 0);
}

function answering(scenario: AskingScenario, address: string): End[] {
  return scenario.listenAt(`${address}:${ORIGIN_PORT}`, (end) => {
    end.onText = () => {
      const requests = end.text.split("\r\n\r\n").length - 1;
      end.text = "";
      for (let i = 0; i < requests; i++) end.send(OK);
    };
  });
}

function statuses(client: End): string[] {
  return Array.from(client.text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => status);
}

function started(plan = planOf("svc0")): AskingScenario {
  const scenario = new AskingScenario(plan);
  answering(scenario, "10.0.0.1");
  scenario.pass(1);
  return scenario;
}

Deno.test("asking: a thousand at once for one name make one question, and all have its answer", () => {
  const scenario = started();
  const clients = Array.from({ length: 1_000 }, () => scenario.client());
  scenario.pass(1);
  for (const client of clients) client.send(GET);
  scenario.pass(20);
  deepEqual(scenario.asked, [SVC0]);
  equal(clients.every(({ text }) => text === ""), true);
  scenario.answer();
  scenario.pass(20);
  deepEqual(new Set(clients.flatMap(statuses)), new Set(["200"]));
  equal(clients.flatMap(statuses).length, 1_000);
  equal(scenario.counted("weft_plan_questions_total"), 1);
  equal(scenario.counted("weft_plan_waits_total"), 1_000);
  equal(scenario.counted("weft_plan_unanswered_total"), 0);
  const [{ planWaitMs, durationMs }] = scenario.records;
  equal(planWaitMs >= 19 && planWaitMs <= durationMs, true, `${planWaitMs} of ${durationMs}`);
  // What is known is not asked again, and nothing waits for it.
  clients[0].send(GET);
  scenario.pass(1);
  deepEqual(statuses(clients[0]), ["200", "200"]);
  equal(scenario.records.at(-1)?.planWaitMs, 0);
  deepEqual(scenario.asked, [SVC0]);
});

Deno.test("asking: a source on the same thread answers before anything waits", () => {
  const scenario = started();
  scenario.answersAtOnce = true;
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  deepEqual(statuses(client), ["200"]);
  equal(scenario.counted("weft_plan_waits_total"), 0);
});

Deno.test("asking: without an answer in time it goes on as without a source, and the next waits no more", () => {
  const scenario = started();
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(PLAN_ANSWER_MS - 1);
  deepEqual(scenario.lookups, []);
  scenario.pass(2);
  // Egress is on: a host that the mesh does not know is looked up.
  deepEqual(scenario.lookups, ["svc0.sim"]);
  equal(scenario.counted("weft_plan_unanswered_total"), 1);
  const fields = { question: SVC0, waitedMs: PLAN_ANSWER_MS, unsaid: 0 };
  deepEqual(scenario.logged, [{ level: "warn", message: "No answer about the plan", fields }]);
  scenario.engine.resolved("svc0.sim", []);
  scenario.pass(1);
  deepEqual(statuses(client), ["404"]);
  match(client.text, /host-unknown/);
  equal(Math.round(scenario.records[0].planWaitMs), PLAN_ANSWER_MS);
  client.send(GET);
  scenario.pass(1);
  deepEqual(statuses(client), ["404", "404"]);
  deepEqual(scenario.asked, [SVC0]);
  equal(scenario.counted("weft_plan_unanswered_total"), 2);
  equal(scenario.logged.length, 1);
  // Late, but better than never.
  scenario.answer();
  client.send(GET);
  scenario.pass(1);
  deepEqual(statuses(client), ["404", "404", "200"]);
});

Deno.test("asking: while the source is away nothing waits for it, and what is held is served", () => {
  const scenario = started(planOf("svc0", "svc1"));
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  scenario.answer();
  scenario.pass(1);
  scenario.engine.sourceIsAway(true);
  client.send(GET);
  scenario.pass(1);
  deepEqual(statuses(client), ["200", "200"]);
  client.send(GET.replace("svc0", "svc1"));
  scenario.pass(1);
  deepEqual(scenario.lookups, ["svc1.sim"]);
  scenario.engine.resolved("svc1.sim", []);
  scenario.pass(1);
  deepEqual(statuses(client), ["200", "200", "404"]);
  equal(scenario.counted("weft_plan_unanswered_total"), 1);
});

Deno.test("asking: not in the mesh is an answer too, and kept current", () => {
  const scenario = started(planOf("other"));
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  scenario.answer();
  scenario.engine.resolved("svc0.sim", []);
  scenario.pass(1);
  client.send(GET);
  scenario.pass(1);
  scenario.engine.resolved("svc0.sim", []);
  scenario.pass(1);
  deepEqual(statuses(client), ["404", "404"]);
  equal(scenario.counted("weft_plan_waits_total"), 1);
  scenario.set(planOf("svc0"));
  scenario.answer();
  client.send(GET);
  scenario.pass(1);
  deepEqual(statuses(client), ["404", "404", "200"]);
  deepEqual(scenario.asked, [SVC0]);
});

Deno.test("asking: a client that goes away while it waits leaves nothing behind", () => {
  const scenario = started();
  const client = scenario.client();
  const other = scenario.client();
  scenario.pass(1);
  client.send(GET);
  other.send(GET);
  scenario.pass(1);
  client.side.reset();
  scenario.pass(1);
  scenario.answer();
  scenario.pass(1);
  deepEqual(statuses(other), ["200"]);
  equal(client.text, "");
  equal(scenario.engine.isWaiting, false);
  other.side.reset();
  scenario.pass(1);
  equal(scenario.counted("weft_connections_open"), 0);
  equal(scenario.counted("weft_faults_total"), 0);
});

Deno.test("asking: a relayed connection waits as a request does", () => {
  const scenario = started();
  const client = scenario.tcpClient();
  scenario.pass(1);
  client.send("hello\r\n\r\n");
  scenario.pass(5);
  deepEqual(scenario.asked, [SVC0]);
  equal(client.text, "");
  scenario.answer();
  scenario.pass(2);
  deepEqual(statuses(client), ["200"]);
});

Deno.test("asking: what is not used for long is named, what is used is not", () => {
  const scenario = started(planOf("svc0", "svc1"));
  answering(scenario, "10.0.0.2");
  const client = scenario.client();
  scenario.pass(1);
  for (const host of ["svc0", "svc1"]) {
    client.send(GET.replace("svc0", host));
    scenario.pass(1);
    scenario.answer();
    scenario.pass(1);
  }
  deepEqual(scenario.engine.unusedQuestions(), []);
  const svc1 = hostQuestion(NAMESPACE, "svc1.sim");
  for (let ms = 0; ms < QUESTION_LIFE_MS; ms += QUESTION_LIFE_MS / 10) {
    // By another spelling that is known as well, once the Service is held.
    const fresh = scenario.client();
    scenario.pass(1);
    fresh.send(GET.replace("svc0.sim", "svc0.sim.svc.cluster.local"));
    scenario.pass(QUESTION_LIFE_MS / 10);
    if (ms < QUESTION_LIFE_MS / 2) deepEqual(scenario.engine.unusedQuestions(), []);
  }
  scenario.pass(2_000);
  deepEqual(scenario.engine.unusedQuestions(), [svc1]);
  scenario.drop([svc1]);
  deepEqual(scenario.held.plan?.services.map(({ name }) => name), ["svc0"]);
  // It is asked for again.
  const again = scenario.client();
  scenario.pass(1);
  again.send(GET.replace("svc0", "svc1"));
  scenario.pass(5);
  deepEqual(scenario.asked.slice(2), [svc1]);
  scenario.answer();
  scenario.pass(1);
  deepEqual(statuses(again), ["200"]);
});

Deno.test("asking: the name of a pod may be a Service's too, which is asked before it is believed", () => {
  const endpoint = (address: string, hostname: string) => ({
    address,
    port: ORIGIN_PORT,
    pod: "",
    workload: "",
    hostname,
    identity: "",
  });
  const service = (namespace: string, name: string, podHosts: readonly string[]) => {
    const group = `${namespace}/${name}:80`;
    const backend = { namespace, service: name, weight: 1, state: "ready", group } as const;
    const fallback = { id: group, split: null, position: null, backends: [backend] };
    return serviceForTest({ fallback }, { namespace, name, podHosts });
  };
  const services = [service(NAMESPACE, "db", ["web"]), service("db", "web", [])];
  const plan = planForTest(services, {
    groups: {
      [`${NAMESPACE}/db:80`]: [endpoint("10.0.0.1", "web")],
      "db/web:80": [endpoint("10.0.0.2", "")],
    },
  });
  const scenario = started(plan);
  const pods = answering(scenario, "10.0.0.1");
  const others = answering(scenario, "10.0.0.2");
  const client = scenario.client();
  scenario.pass(1);
  client.send(GET.replace("svc0.sim", "db"));
  scenario.pass(1);
  scenario.answer();
  scenario.pass(1);
  deepEqual([statuses(client), pods.length, others.length], [["200"], 1, 0]);
  client.send(GET.replace("svc0.sim", "web.db"));
  scenario.pass(1);
  deepEqual(scenario.asked.slice(1), [hostQuestion(NAMESPACE, "web.db")]);
  scenario.answer();
  scenario.pass(1);
  deepEqual([statuses(client), pods.length, others.length], [["200", "200"], 1, 1]);
});

Deno.test("asking: hosts that cannot be of the mesh are not asked about", () => {
  const scenario = started();
  const client = scenario.client();
  scenario.pass(1);
  const hosts = ["a.b.example.com", `${"x".repeat(300)}.sim`, "a_b.c.d.e", "svc0%2e.sim"];
  for (const host of hosts) {
    client.send(GET.replace("svc0.sim", host));
    scenario.pass(1);
    scenario.engine.resolved(host, []);
    scenario.pass(1);
  }
  deepEqual(scenario.asked, []);
  equal(scenario.counted("weft_plan_unanswered_total"), 0);
  // In any case, and with a port, it is one question.
  const other = scenario.client();
  scenario.pass(1);
  for (const host of ["SVC0.sim", "svc0.SIM:80", "svc0.sim."]) {
    other.send(GET.replace("svc0.sim", host));
  }
  scenario.pass(1);
  deepEqual(scenario.asked, [SVC0]);
});
