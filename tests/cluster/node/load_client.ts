/** A client in the mesh that asks at a steady rate (`load client`), and what became of its requests: not one may fail. */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { insist, runOnNode } from "./on_node.ts";

/** Requests under one plan, of which the shares are taken. */
const WINDOW = 200;

/** By the text of the answer. */
export type Answers = Readonly<Record<string, number>>;

interface Tally {
  readonly asked: number;
  readonly answers: Answers;
  readonly failures: readonly string[];
  readonly failed: number;
}

/** How the client tells of a failure. */
const LOSS = /(GET|POST) after \S+: (\d+) .*X-Weft-Reason:\[([a-z-]+)\]/;

export class LoadClient {
  readonly #exec: string;
  /** Requests so far. */
  sum = 0;
  /** Of these, by method, status and reason. */
  readonly losses = new Map<string, number>();
  /** So many POSTs may be lost: a process that had them was killed, and how far it had come with them cannot be known. */
  lostMax = 0;
  /** What such a loss looks like. */
  loss = / POST .* 502 .*upstream-reset/;

  /** @param pod that asks */
  constructor(namespace: string, pod: string) {
    this.#exec = `kubectl exec -n ${namespace} ${pod} -c app --`;
  }

  /** The answers to the next `requests` or a few more, or to those since the last call. Every one was right. */
  async take(during: string, requests = 0): Promise<Answers> {
    const url = `http://127.0.0.1:9000/take?requests=${requests}`;
    const text = await insist(`${this.#exec} wget -q -O - "${url}"`);
    const { asked, answers, failures, failed }: Tally = JSON.parse(text);
    this.sum += asked;
    const what = `${during}: ${failed} failed\n${(failures ?? []).join("\n")}`;
    const isLost = (failure: string) => this.loss.test(failure);
    assert.ok(failed <= this.lostMax && (failures ?? []).every(isLost), what);
    this.lostMax -= failed;
    for (const failure of failures ?? []) {
      const [, method, status, reason] = LOSS.exec(failure) ?? [];
      const kind = `${method} ${status} ${reason}`;
      this.losses.set(kind, (this.losses.get(kind) ?? 0) + 1);
    }
    return answers;
  }

  /** What one request of its pod's own gets: the text of an answer, with 200. Null: there is none. */
  async ask(url: string, body?: string): Promise<string | null> {
    const data = body === undefined ? "" : `--post-data=${body}`;
    const { code, stdout } = await runOnNode(`${this.#exec} wget -q -O - ${data} ${url}`);
    return code === 0 ? stdout : null;
  }

  /** How many there were, and what became of those that were lost. */
  get story(): string {
    const lost = Array.from(this.losses, ([kind, count]) => `${count} lost by ${kind}`);
    return [`${this.sum} requests`, ...lost].join(", ");
  }

  async isReachable(): Promise<boolean> {
    return (await runOnNode(`timeout 20 ${this.#exec} true`)).code === 0;
  }

  /** Waits until a window of requests is split between `v1` and `v2` as said, to the request. */
  async splits(v1: number, v2: number): Promise<void> {
    const what = `${v1} to ${v2}`;
    await until(what, () => this.take(what, WINDOW), ({ v1: one = 0, v2: two = 0 }) => {
      const exact = (one + two) * v1 / (v1 + v2);
      return Math.abs(one - exact) < 1 + 1e-9;
    });
  }
}
