/**
 * `/rollout/ready`: whether a split is in force at all proxies that use it. GET says how far it is, for people and for Argo Rollouts' web
 * metrics. POST is a gate, for Flagger's `confirm-*` webhooks: 200 once it is so, else 409 with the reason, which Flagger shows.
 */
import type { Finding, ResourceRef } from "../../base/finding.ts";
import type { Pod } from "../../schemas/resources.ts";
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, textField } from "../kube/fields.ts";
import {
  PROXIES_NAMED_MAX,
  QUESTION_BYTES_MAX,
  ROLLOUT_ASK_MS,
  ROLLOUT_GATE_LOOK_MS,
  ROLLOUT_GATE_MS,
  ROLLOUT_QUESTIONS_MAX,
} from "../limits.ts";
import { askReplica } from "./replicas.ts";
import type { Rollouts } from "./rollouts.ts";
import { type LiveObject, type ReplicaState, rolloutState } from "./state.ts";

interface AnswerParts {
  readonly rollouts: Rollouts;
  readonly client: KubeClient;
  /** The pods of all replicas, this one too. */
  readonly replicas: () => readonly Pod[];
  /** On which each of them is asked. */
  readonly port: number;
  readonly findingsOf: (ref: ResourceRef) => readonly Finding[];
}

/** What GET answers; fields are added, never renamed. */
export interface RolloutAnswer {
  readonly split: string;
  readonly ready: boolean;
  readonly reason: string;
  readonly generation: number;
  readonly programmed: number;
  readonly proxies: number;
  /** Names of proxies, some of them where they are many. */
  readonly behind: readonly string[];
  readonly silent: readonly string[];
  readonly unready: readonly string[];
  /** Those that have it in force. */
  readonly users: readonly string[];
  readonly findings: readonly Pick<Finding, "code" | "severity" | "message" | "hint" | "field">[];
}

/** Nothing can be said, with a status of HTTP. */
class NoAnswer extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class RolloutAnswers {
  readonly #parts: AnswerParts;
  #running = 0;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  /** What this replica alone knows. */
  ofReplica(url: URL): Response {
    const split = url.searchParams.get("split") ?? "";
    const state = this.#parts.rollouts.stateOf(split);
    return state === null ? textAnswer(404, unknownSplit(split)) : Response.json(state);
  }

  async answer(request: Request): Promise<Response> {
    if (this.#running >= ROLLOUT_QUESTIONS_MAX) {
      return textAnswer(429, "Too many questions at once: ask again");
    }
    this.#running++;
    try {
      const split = await splitIn(request);
      const isGate = request.method === "POST";
      const answer = isGate ? await this.#lookLong(split) : await this.#look(split);
      if (!isGate) return Response.json(answer);
      return textAnswer(answer.ready ? 200 : 409, answer.reason);
    } catch (error) {
      if (error instanceof NoAnswer) return textAnswer(error.status, error.message);
      throw error;
    } finally {
      this.#running--;
    }
  }

  /** Who asks right after a write would be told no, and would ask again many seconds later. */
  async #lookLong(split: string): Promise<RolloutAnswer> {
    const overMs = performance.now() + ROLLOUT_GATE_MS;
    for (;;) {
      const answer = await this.#look(split);
      if (answer.ready || performance.now() >= overMs) return answer;
      await new Promise((resolve) => setTimeout(resolve, ROLLOUT_GATE_LOOK_MS));
    }
  }

  async #look(split: string): Promise<RolloutAnswer> {
    const { rollouts, findingsOf } = this.#parts;
    const [namespace = "", name = ""] = split.split("/");
    const [live, { answered, missing }] = await Promise.all([
      this.#liveOf(split),
      this.#replicas(split),
    ]);
    const own = rollouts.stateOf(split);
    if (own === null) throw new NoAnswer(404, unknownSplit(split));
    const others = answered.filter(({ replica }) => replica !== own.replica);
    const { isReady, reason, programmed, proxies, users, others: named } = rolloutState(
      live,
      [own, ...others],
      missing,
    );
    const some = (names: readonly string[]) => names.slice(0, PROXIES_NAMED_MAX);
    return {
      split,
      ready: isReady,
      reason,
      generation: live.generation,
      programmed,
      proxies,
      behind: some(named.behind),
      silent: some(named.silent),
      unready: some(named.unready),
      users: some(users),
      findings: findingsOf({ kind: "TrafficSplit", namespace, name })
        .map(({ code, severity, message, hint, field }) => ({
          code,
          severity,
          message,
          hint,
          ...(field === undefined ? {} : { field }),
        })),
    };
  }

  /** A watch may be behind what was just written. */
  async #liveOf(split: string): Promise<LiveObject> {
    const apiVersion = this.#parts.rollouts.apiVersionOf(split);
    if (apiVersion === null) throw new NoAnswer(404, unknownSplit(split));
    const [namespace, name] = split.split("/");
    const path = `/apis/${apiVersion}/namespaces/${namespace}/trafficsplits/${name}`;
    try {
      const object = await this.#parts.client.call("GET", path, {
        accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
        limitMs: ROLLOUT_ASK_MS,
      });
      const metadata = fieldsOf(fieldsOf(object)["metadata"]);
      const uid = textField(metadata, "uid") ?? "";
      return { uid, generation: Number(metadata["generation"] ?? 0) };
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) {
        throw new NoAnswer(404, `There is no TrafficSplit ${split} any more`);
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new NoAnswer(503, `The API server cannot be asked: ${reason}`);
    }
  }

  async #replicas(split: string): Promise<{ answered: ReplicaState[]; missing: number }> {
    const { replicas, port } = this.#parts;
    const addresses = replicas().flatMap(({ ready, ips }) => ready ? ips.slice(0, 1) : []);
    const states = await Promise.all(addresses.map((each) => askReplica(each, port, split)));
    const answered = states.filter((state) => state !== null);
    return { answered, missing: states.length - answered.length };
  }
}

/** By the query, else by what Flagger says of its canary. */
async function splitIn(request: Request): Promise<string> {
  const asked = new URL(request.url).searchParams.get("split");
  const split = asked ?? await splitInBody(request);
  if (!/^[^/\s?#%]+\/[^/\s?#%]+$/.test(split)) {
    throw new NoAnswer(400, "Name a TrafficSplit: /rollout/ready?split=NAMESPACE/NAME");
  }
  return split;
}

async function splitInBody(request: Request): Promise<string> {
  let text = "";
  for await (const chunk of request.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.length > QUESTION_BYTES_MAX) throw new NoAnswer(413, "The body is too large");
  }
  try {
    const { namespace, name } = fieldsOf(JSON.parse(text));
    return `${namespace}/${name}`;
  } catch {
    return "";
  }
}

function unknownSplit(split: string): string {
  return `No TrafficSplit ${split} is known`;
}

function textAnswer(status: number, line: string): Response {
  return new Response(`${line}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
}
