/**
 * LightConnection: a proxy of which only the conversation with a controller is there. It says who it is, asks, keeps what it is told, and
 * acknowledges it. Lines that many are told in the same words are read once for all, and no hash is checked or made: the process that holds
 * thousands of them has to be quicker than the controller that it measures.
 */
import { Backoff, pause } from "../../base/backoff.ts";
import { chunksOf, readLines, writeLine } from "../../base/lines.ts";
import { writeSigningRequest } from "../../base/csr.ts";
import { DEFAULT_TRUST_DOMAIN, formatWorkloadId } from "../../base/spiffe.ts";
import { UPDATE_TEXT_MAX } from "../../routing/limits.ts";
import type { Part, PartKey } from "../../routing/parts.ts";
import type { IdentityUpdate, PlanQuestion, SourceUpdate } from "../../routing/source/messages.ts";
import { CLUSTER_NAMESPACE } from "./cluster_objects.ts";
import { CONTROLLER_ALIVE_MS, RECONNECT_MS_MAX, RECONNECT_MS_MIN } from "../../sidecar/limits.ts";

/** Nothing is in force yet. */
const NO_IDENTITY = { roots: "", signer: "" };
const URI = formatWorkloadId({
  trustDomain: DEFAULT_TRUST_DOMAIN,
  identity: `${CLUSTER_NAMESPACE}/default`,
});

interface LightParts {
  readonly port: number;
  /** Certificate of the authority that vouches for the controller. */
  readonly authority: string;
  readonly token: string;
  readonly namespace: string;
  readonly pod: string;
  readonly questions: readonly PlanQuestion[];
  /** By which it asks for a certificate; null: it asks for none. */
  readonly keys: CryptoKeyPair | null;
  /** What it holds is another now. */
  readonly onChange: () => void;
}

export class LightConnection {
  readonly held = new Map<PartKey, Part>();
  readonly #parts: LightParts;
  readonly #ended = new AbortController();
  readonly #missing: Set<PlanQuestion>;
  #connection: Deno.TlsConn | null = null;
  /** It has been given a certificate. */
  isCertified = false;
  #hasAsked = false;
  /** Why the last connection was lost; empty: none was. */
  trouble = "";

  constructor(parts: LightParts) {
    this.#parts = parts;
    this.#missing = new Set(parts.questions);
    this.#run();
  }

  /** Whether all has been answered. */
  get isServed(): boolean {
    return this.#missing.size === 0;
  }

  stop(): void {
    this.#ended.abort();
    this.#close();
  }

  #close(): void {
    try {
      this.#connection?.close();
    } catch {
      // It has been closed from the other side.
    }
  }

  /** Comes back as a proxy does. */
  async #run(): Promise<void> {
    const { signal } = this.#ended;
    const backoff = new Backoff(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
    while (!signal.aborted) {
      try {
        await this.#converse(() => backoff.reset());
      } catch (error) {
        this.trouble = String(error);
      }
      this.#close();
      await pause(backoff.nextMs(), signal);
    }
  }

  async #converse(heard: () => void): Promise<void> {
    const { port, authority, token, namespace, pod, questions, keys } = this.#parts;
    const hostname = "127.0.0.1";
    const plain = await Deno.connect({ hostname, port });
    plain.setNoDelay(true);
    const connection = await Deno.startTls(plain, { hostname, caCerts: [authority] });
    this.#connection = connection;
    const hello = { token, pod, namespace, bootId: pod, version: "bench" };
    const identity = keys === null ? {} : { identity: NO_IDENTITY };
    const request = { ask: questions, drop: [], held: {}, ...identity };
    this.#hasAsked = false;
    await writeLine(connection, `${JSON.stringify(hello)}\n${JSON.stringify(request)}`);
    const alive = setInterval(() => this.#say(""), CONTROLLER_ALIVE_MS);
    try {
      for await (const line of readLines(chunksOf(connection), () => UPDATE_TEXT_MAX)) {
        heard();
        if (line.startsWith('{"identity":')) await this.#certify(JSON.parse(line).identity);
        else if (line !== "") this.#take(line);
      }
    } finally {
      clearInterval(alive);
    }
  }

  async #certify({ signer, challenge, chain, problem = "" }: IdentityUpdate): Promise<void> {
    const { keys, onChange } = this.#parts;
    this.trouble = problem;
    if (chain !== undefined) {
      this.isCertified = true;
      onChange();
    } else if (keys !== null && signer !== "" && !this.#hasAsked) {
      this.#hasAsked = true;
      const csr = (await writeSigningRequest(keys, { uri: URI, challenge })).toBase64();
      this.#say(JSON.stringify({ ask: [], drop: [], identity: { ...NO_IDENTITY, csr } }));
    }
  }

  #take(line: string): void {
    let last = "0".repeat(64);
    const { answers, parts } = readUpdate(line);
    for (const [question] of answers) this.#missing.delete(question);
    for (const [key, hashed] of parts) {
      if (hashed === null) this.held.delete(key);
      else {
        this.held.set(key, hashed.part);
        last = hashed.hash;
      }
    }
    this.#say(JSON.stringify({ ack: last }));
    this.#parts.onChange();
  }

  /** Lines are short, and a system takes many of them before it takes no more. */
  #say(line: string): void {
    if (this.#connection !== null) writeLine(this.#connection, line).catch(() => this.#close());
  }
}

/** Updates by their text: the last ones, because those that are equal come one after the other. */
const known = new Map<string, SourceUpdate>();
const KNOWN_MAX = 64;

function readUpdate(line: string): SourceUpdate {
  const before = known.get(line);
  if (before !== undefined) return before;
  const update: SourceUpdate = JSON.parse(line);
  const [oldest] = known.keys();
  if (known.size >= KNOWN_MAX) known.delete(oldest);
  known.set(line, update);
  return update;
}
