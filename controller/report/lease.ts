/**
 * Lease: which of several controllers writes (coordination.k8s.io/v1). Whether another's term is over is judged by this one's own clock, from
 * when it saw the last change of the record: times that are written in it are for people, so clocks that differ make no two leaders. Losing
 * it ends the writing, not the process.
 */
import { pause } from "../../base/backoff.ts";
import type { Log } from "../../base/log.ts";
import { labelsOf } from "../install/objects.ts";
import { type KubeClient, KubeError } from "../kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { LEASE_CALL_MS, LEASE_LEAD_MS, LEASE_LOOK_MS, LEASE_SECONDS } from "../limits.ts";

interface LeaseParts {
  readonly client: Pick<KubeClient, "call">;
  readonly namespace: string;
  readonly name: string;
  /** Of this run of the controller. */
  readonly identity: string;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** It leads from now on. */
  readonly onLead: () => void;
}

export class Lease {
  readonly #parts: LeaseParts;
  readonly #now: () => number;
  readonly #ended = new AbortController();
  /** Version of the record as it was last seen, and when it was first seen: times in it may be the same for two writings. */
  #seen = "";
  #seenAtMs = 0;
  /** It leads until then, unless it renews. */
  #leadsUntilMs = -Infinity;
  #hasLed = false;
  #trouble = "";
  #running: Promise<void> = Promise.resolve();

  constructor(parts: LeaseParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  /** Asked before each write: a process that was stopped for a while leads no more when it goes on. */
  get isLeader(): boolean {
    return this.#now() < this.#leadsUntilMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Lets another one lead at once. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    if (!this.isLeader) return;
    this.#leadsUntilMs = -Infinity;
    await this.#look({ isEnd: true }).catch(() => {});
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.look();
      await pause(LEASE_LOOK_MS * (0.8 + 0.4 * Math.random()), signal);
    }
  }

  /** Looks once, and takes or renews it where it may. */
  async look(): Promise<void> {
    // It may have lapsed since the last look, and what was to be written meanwhile was not.
    this.#noticeLoss();
    try {
      await this.#look({ isEnd: false });
      this.#trouble = "";
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#trouble) this.#parts.log.warn("The lease cannot be renewed", { reason });
      this.#trouble = reason;
    }
    this.#noticeLoss();
  }

  #noticeLoss(): void {
    if (!this.#hasLed || this.isLeader) return;
    this.#hasLed = false;
    this.#parts.log.info("This controller writes no status and Events any more");
  }

  async #look({ isEnd }: { readonly isEnd: boolean }): Promise<void> {
    const { identity } = this.#parts;
    const startMs = this.#now();
    const found = await this.#find();
    const spec = fieldsOf(found?.["spec"]);
    const version = textField(fieldsOf(found?.["metadata"]), "resourceVersion") ?? "";
    if (version !== this.#seen) this.#seenAtMs = startMs;
    this.#seen = version;
    const holder = textField(spec, "holderIdentity");
    const isOwn = holder === identity;
    const seconds = Number(spec["leaseDurationSeconds"] ?? 0);
    const isHeld = holder !== undefined && startMs < this.#seenAtMs + seconds * 1_000;
    if (isEnd && !isOwn) return;
    if (!isOwn && isHeld) {
      this.#leadsUntilMs = -Infinity;
      return;
    }
    const written = await this.#write(found, { isOwn, isEnd });
    if (!written || isEnd) return;
    // From when it was asked: another one counts from when it was written, or later.
    this.#leadsUntilMs = startMs + LEASE_LEAD_MS;
    if (this.#hasLed || !this.isLeader) return;
    this.#hasLed = true;
    this.#parts.log.info("This controller writes status and Events from now on");
    this.#parts.onLead();
  }

  async #find(): Promise<JsonFields | null> {
    const { client, name } = this.#parts;
    try {
      return fieldsOf(
        await client.call("GET", `${this.#path}/${name}`, { limitMs: LEASE_CALL_MS }),
      );
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return null;
      throw error;
    }
  }

  get #path(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#parts.namespace}/leases`;
  }

  /** False: another one was faster. */
  async #write(
    found: JsonFields | null,
    { isOwn, isEnd }: { readonly isOwn: boolean; readonly isEnd: boolean },
  ): Promise<boolean> {
    const { client, name, namespace, identity } = this.#parts;
    const before = fieldsOf(found?.["spec"]);
    const nowText = new Date().toISOString().replace("Z", "000Z");
    const spec = {
      holderIdentity: isEnd ? "" : identity,
      leaseDurationSeconds: isEnd ? 1 : LEASE_SECONDS,
      acquireTime: isOwn ? before["acquireTime"] : nowText,
      renewTime: nowText,
      leaseTransitions: Number(before["leaseTransitions"] ?? 0) + (isOwn || !found ? 0 : 1),
    };
    const made = { name, namespace, labels: labelsOf("controller") };
    const metadata = found === null ? made : found["metadata"];
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec };
    const options = { body, limitMs: LEASE_CALL_MS };
    try {
      if (found === null) await client.call("POST", this.#path, options);
      else await client.call("PUT", `${this.#path}/${name}`, options);
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.status === 409) return false;
      throw error;
    }
  }
}
