/**
 * ProxyConnection: one proxy on the stream. It says who it is, asks, and is told, one line at a time: what changes while a line is on its
 * way is looked at when that is out, so that the latest wins and nothing piles up.
 */
import { LineSplitter, SilenceWatch, writeBytes } from "../../base/lines.ts";
import type { Log } from "../../base/log.ts";
import { UPDATE_TEXT_MAX } from "../../routing/limits.ts";
import type { PartKey } from "../../routing/parts.ts";
import type { MeshParts, MeshSession } from "../../routing/source/mesh.ts";
import { decodeRequest } from "../../routing/source/wire.ts";
import {
  CONNECTION_AGE_MS_MAX,
  CONNECTION_AGE_MS_MIN,
  HELLO_BYTES_MAX,
  HELLO_MS,
  KEEP_ALIVE_MS,
  PROXY_QUESTIONS_MAX,
  PROXY_READ_BYTES,
  SILENCE_MS,
  UNACKNOWLEDGED_MAX,
  WRITE_MS,
} from "../limits.ts";
import type { ConnectionEnd, ControllerCounts } from "../metrics.ts";
import type { IdentitySession } from "../identity/identity_session.ts";
import type { IdentityIssuer } from "../identity/identity_issuer.ts";
import { acknowledgedBy, type Hello, helloIn } from "./hello.ts";
import { bytesOfUpdate } from "./update_bytes.ts";
import type { TokenReviews, TokenSubject } from "./token_reviews.ts";

interface ConnectionParts {
  readonly connection: Deno.TlsConn;
  readonly mesh: MeshParts;
  readonly identity: IdentityIssuer;
  /** Null: tokens are not looked at. */
  readonly tokens: TokenReviews | null;
  readonly counts: ControllerCounts;
  readonly log: Log;
  readonly events: ProxyEvents;
}

/** What is told of proxies that have said who they are. */
export interface ProxyEvents {
  came(proxy: ProxyConnection): void;
  acknowledged(proxy: ProxyConnection): void;
  went(proxy: ProxyConnection): void;
}

const ENCODER = new TextEncoder();
/** An empty line: the controller is there. */
const NO_NEWS = ENCODER.encode("\n");

/** How a connection ended, with a word for the log. */
interface Ending {
  readonly end: ConnectionEnd;
  readonly detail: string;
}

export class ProxyConnection {
  readonly #parts: ConnectionParts;
  /** Without its token, which is long and has been looked at. */
  #hello: Omit<Hello, "token"> | null = null;
  #session: MeshSession | null = null;
  #identity: IdentitySession | null = null;
  /** Since when a line is on its way; null: none is. */
  #writingSinceMs: number | null = null;
  /** When there was something to tell that has not been told. */
  #newsAtMs: number | null = null;
  /** When updates were written that have not been acknowledged. */
  readonly #sentAtMs: number[] = [];
  /** The hash of what the proxy has in force; empty: it has not said. */
  #acknowledged = "";
  #ending: Ending | null = null;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** `namespace/pod`, or the run of the proxy where it names no pod. */
  get name(): string {
    const { namespace = "", pod = "", bootId = "" } = this.#hello ?? {};
    return `${namespace}/${pod || bootId}`;
  }

  /** The hash of a part as it has it in force; empty: not yet. Undefined: it does not use the part. */
  inForce(key: PartKey): string | undefined {
    return this.#session?.inForce(key);
  }

  /** Since when it has not acknowledged what there is; null: it has. */
  get behindSinceMs(): number | null {
    return this.#sentAtMs[0] ?? this.#newsAtMs;
  }

  /** Ends it. */
  end(end: ConnectionEnd, detail = ""): void {
    if (this.#ending !== null) return;
    this.#ending = { end, detail };
    try {
      this.#parts.connection.close();
    } catch {
      // It has been closed from the other side.
    }
  }

  /** Resolves when it has ended. */
  async serve(): Promise<void> {
    const { counts, log } = this.#parts;
    const hello = new SilenceWatch(HELLO_MS, () => this.end("silence", "no hello"));
    const silence = new SilenceWatch(SILENCE_MS, () => this.end("silence"));
    const alive = setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
    const age = setTimeout(() => this.end("age"), ageMs());
    try {
      await this.#parts.connection.handshake();
      await this.#hear((line) => {
        silence.heard();
        if (this.#hello !== null) return line === "" ? undefined : this.#take(line);
        return this.#welcome(line).then(() => hello.stop());
      });
      this.end("closed");
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.end(this.#hello === null || /^A line/.test(detail) ? "protocol" : "closed", detail);
    } finally {
      hello.stop();
      silence.stop();
      clearInterval(alive);
      clearTimeout(age);
      this.#session?.close();
      this.#identity?.close();
      if (this.#session !== null) this.#parts.events.went(this);
    }
    const { end, detail } = this.#ending ?? { end: "closed", detail: "" };
    counts.connectionEnds[end]++;
    if (this.#session !== null) counts.proxies--;
    log.debug("Proxy gone", { ...this.#who, end, detail, plan: this.#acknowledged.slice(0, 12) });
  }

  /** All lines until the end. No generator: each connection would keep one, and its promises, and replace them with every line. */
  async #hear(take: (line: string) => Promise<void> | void): Promise<void> {
    const { connection } = this.#parts;
    const buffer = new Uint8Array(PROXY_READ_BYTES);
    const splitter = new LineSplitter(() =>
      this.#hello === null ? HELLO_BYTES_MAX : UPDATE_TEXT_MAX
    );
    for (let size; (size = await connection.read(buffer)) !== null;) {
      for (const line of splitter.linesOf(buffer.subarray(0, size))) {
        const taking = take(line);
        if (taking !== undefined) await taking;
        if (this.#ending !== null) return;
      }
    }
  }

  get #who(): Readonly<Record<string, string>> {
    const { hostname } = this.#parts.connection.remoteAddr;
    if (this.#hello === null) return { from: hostname };
    const { namespace, pod, bootId, version } = this.#hello;
    return { from: hostname, namespace, pod, bootId, version };
  }

  async #welcome(line: string): Promise<void> {
    const { mesh, identity, counts, log, events } = this.#parts;
    const hello = helloIn(line);
    if (hello === null) return this.end("protocol", "the first line is no hello");
    const subject = await this.#subjectOf(hello);
    if (this.#ending !== null) return;
    if (typeof subject === "string") {
      log.warn("Proxy refused", { ...this.#who, pod: hello.pod, reason: subject });
      return this.end("token", subject);
    }
    const { token: _, ...who } = hello;
    this.#hello = who;
    this.#session = mesh.open(() => this.#hasNews());
    this.#identity = identity.open(this.name, subject, () => this.#hasNews());
    counts.proxies++;
    events.came(this);
    log.debug("Proxy connected", this.#who);
  }

  /** Null: tokens are not looked at. A text: why it is not let in. */
  async #subjectOf({ token, namespace, pod }: Hello): Promise<TokenSubject | string | null> {
    const { tokens } = this.#parts;
    if (tokens === null) return null;
    try {
      const subject = await tokens.subjectOf(token);
      if (typeof subject === "string") return subject;
      if (subject.namespace !== namespace) {
        return `its token is of namespace "${subject.namespace}", not "${namespace}"`;
      }
      return subject.pod === undefined || pod === "" || subject.pod === pod
        ? subject
        : `its token is of pod "${subject.pod}", not "${pod}"`;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return `its token could not be looked at: ${reason}`;
    }
  }

  #take(line: string): void {
    const hash = acknowledgedBy(line);
    if (hash !== null) {
      this.#acknowledged = hash;
      const sentAtMs = this.#sentAtMs.shift();
      if (sentAtMs !== undefined) {
        this.#parts.counts.acknowledged.observe(performance.now() - sentAtMs);
      }
      this.#session?.acknowledge();
      this.#parts.events.acknowledged(this);
      return;
    }
    const decoded = decodeRequest(line);
    if (!decoded.ok) return this.end("protocol", decoded.problem);
    const { identity } = decoded.message;
    const problem = identity === undefined ? null : this.#identity?.take(identity) ?? null;
    if (problem !== null) return this.end("protocol", problem);
    this.#session?.take(decoded.message);
    const questions = this.#session?.questions ?? 0;
    if (questions > PROXY_QUESTIONS_MAX) this.end("full", "it asks too much");
  }

  #hasNews(): void {
    this.#newsAtMs ??= performance.now();
    this.#tell();
  }

  #keepAlive(): void {
    const sinceMs = this.#writingSinceMs;
    if (sinceMs === null) this.#tell();
    else if (performance.now() - sinceMs > WRITE_MS) this.end("slow");
  }

  /** Writes what there is to be told, or an empty line: the controller is there. */
  async #tell(): Promise<void> {
    const session = this.#session;
    if (this.#writingSinceMs !== null || session === null) return;
    this.#writingSinceMs = performance.now();
    try {
      // What has come meanwhile finds this one writing.
      if (!await this.#tellNext(session)) await this.#write([NO_NEWS]);
      while (this.#ending === null && await this.#tellNext(session));
      if (this.#newsAtMs !== null) {
        this.#parts.counts.push.observe(performance.now() - this.#newsAtMs);
      }
      this.#newsAtMs = null;
    } catch (error) {
      this.end("closed", error instanceof Error ? error.message : String(error));
    } finally {
      this.#writingSinceMs = null;
    }
  }

  /** False: there was nothing. */
  async #tellNext(session: MeshSession): Promise<boolean> {
    const identity = this.#identity?.next() ?? null;
    if (identity !== null) await this.#write([ENCODER.encode(`${JSON.stringify({ identity })}\n`)]);
    const update = session.next();
    if (update === null) return identity !== null;
    if (this.#sentAtMs.length < UNACKNOWLEDGED_MAX) this.#sentAtMs.push(performance.now());
    await this.#write(bytesOfUpdate(update));
    this.#parts.counts.updates++;
    return true;
  }

  /** One line. */
  async #write(pieces: Iterable<Uint8Array>): Promise<void> {
    this.#writingSinceMs = performance.now();
    for (const piece of pieces) await writeBytes(this.#parts.connection, piece);
  }
}

/** Each another, so that connections which began together do not end together. */
function ageMs(): number {
  return CONNECTION_AGE_MS_MIN + Math.random() * (CONNECTION_AGE_MS_MAX - CONNECTION_AGE_MS_MIN);
}
