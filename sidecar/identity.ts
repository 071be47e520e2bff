/**
 * IdentityKeeper: the certificates that a proxy has from its controller. It makes a key, in memory only, asks for a certificate of its
 * service account, renews it at half of its life and whenever another authority signs, and gives the proxy what is in force.
 */
import { Backoff } from "../base/backoff.ts";
import { writeSigningRequest } from "../base/csr.ts";
import type { Log } from "../base/log.ts";
import { pemOf, PRIVATE_KEY } from "../base/pem.ts";
import type { TlsCertificate } from "../base/tls.ts";
import { validityOf } from "../base/x509.ts";
import type { Proxy } from "../proxy/config.ts";
import type { IdentityRequest, IdentityUpdate, RootSet } from "../routing/source/messages.ts";
import {
  CERTIFICATE_ANSWER_MS,
  CERTIFICATE_KEEP_SHARE,
  CERTIFICATE_LOOK_MS,
  CERTIFICATE_RETRY_MS_MAX,
  CERTIFICATE_RETRY_MS_MIN,
  CLOCK_DIFFERENCE_MS_MAX,
} from "./limits.ts";

const KEY = { name: "ECDSA", namedCurve: "P-256" };

interface IdentityParts {
  /** The SPIFFE id that certificates are for. */
  readonly uri: string;
  /** To the controller, where there is a connection. */
  readonly send: (request: IdentityRequest) => void;
  readonly proxy: Pick<Proxy, "replaceCertificates">;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Times in milliseconds: by the clock of the system, which may be wrong and may jump, and since some moment. */
export interface Clock {
  readonly now: () => number;
  readonly tick: () => number;
}

const SYSTEM_CLOCK: Clock = { now: Date.now, tick: () => performance.now() };

/** A certificate in force. */
interface Leaf {
  readonly certificate: TlsCertificate;
  readonly signer: string;
  readonly beginsAtMs: number;
  readonly expiresAtMs: number;
  /** When it is to be renewed, by the clock of the system, and by how long this process has had it: either may be wrong. */
  readonly renewAtMs: number;
  readonly renewAtTickMs: number;
  /** But not before this: by a wrong clock every certificate is old when it comes. */
  readonly keepUntilTickMs: number;
}

/** A key that a certificate was asked for. */
interface Asked {
  readonly keyPem: string;
  readonly untilTickMs: number;
}

export class IdentityKeeper {
  readonly #parts: IdentityParts;
  readonly #clock: Clock;
  readonly #backoff = new Backoff(CERTIFICATE_RETRY_MS_MIN, CERTIFICATE_RETRY_MS_MAX);
  readonly #first = Promise.withResolvers<void>();
  #leaf: Leaf | null = null;
  #roots: RootSet | null = null;
  /** Who signs now; empty: none. */
  #signer = "";
  /** Of the connection that there is; empty: there is none, or it has not been told. */
  #challenge = "";
  #asked: Asked | null = null;
  /** Nothing is asked for before this, by the process's own clock. */
  #notBeforeTickMs = -Infinity;
  #problem = "the controller has not been reached yet";
  #saidProblem = "";
  #isExpirySaid = false;
  #isClockWrong = false;
  #look: ReturnType<typeof setInterval> | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(parts: IdentityParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? SYSTEM_CLOCK;
  }

  /** Resolves with the first certificate. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Why there is no certificate that is valid, in one line; null: there is one. */
  get problem(): string | null {
    const leaf = this.#leaf;
    if (leaf === null) return `waiting for a certificate: ${this.#problem}`;
    const nowMs = this.#clock.now();
    if (nowMs < leaf.beginsAtMs) return "the certificate is not valid yet: is the clock right?";
    return nowMs < leaf.expiresAtMs ? null : `the certificate has expired: ${this.#problem}`;
  }

  start(): void {
    this.#look = setInterval(() => this.#tick(), CERTIFICATE_LOOK_MS);
  }

  /** Resolves once nothing is under way. */
  stop(): Promise<void> {
    clearInterval(this.#look);
    return this.#working;
  }

  /** There is a connection: the controller hears what is in force, and answers with what is now. */
  connected(): void {
    this.#challenge = "";
    this.#asked = null;
    this.#parts.send(this.#held);
  }

  lost(reason: string): void {
    this.#challenge = "";
    this.#asked = null;
    this.#problem = reason;
  }

  told(update: IdentityUpdate): void {
    this.#working = this.#working.then(() => this.#take(update)).catch((error) => {
      this.#fail(error instanceof Error ? error.message : String(error));
    });
  }

  get #held(): IdentityRequest {
    return { roots: this.#roots?.hash ?? "", signer: this.#leaf?.signer ?? "" };
  }

  async #take({ roots, signer, challenge, chain, problem, timeMs }: IdentityUpdate): Promise<void> {
    this.#lookAtClock(timeMs);
    this.#challenge = challenge;
    this.#signer = signer;
    const asked = this.#asked;
    if (chain !== undefined && asked !== null && roots !== null) {
      this.#asked = null;
      await this.#use(this.#leafOf(chain, asked.keyPem, signer), roots);
      this.#backoff.reset();
      this.#saidProblem = "";
      this.#problem = "no other one has come yet";
    } else {
      if (problem !== undefined) this.#fail(problem);
      if (roots !== null && roots.hash !== this.#roots?.hash) await this.#use(this.#leaf, roots);
    }
    await this.#askIfDue();
  }

  /** From now on; the controller hears of it. */
  async #use(leaf: Leaf | null, roots: RootSet): Promise<void> {
    const { proxy, log } = this.#parts;
    if (leaf !== null) {
      const authority = { pem: roots.roots.join("") };
      const { certificate } = leaf;
      await proxy.replaceCertificates({ mesh: { certificate, authority, ticketKeys: null } });
      if (leaf !== this.#leaf) {
        log.info("Certificate in force", {
          signer: leaf.signer,
          expires: new Date(leaf.expiresAtMs).toISOString(),
        });
      }
    }
    if (roots.hash !== this.#roots?.hash) {
      log.info("Roots in force", { roots: roots.roots.length, hash: roots.hash.slice(0, 12) });
    }
    this.#leaf = leaf;
    this.#roots = roots;
    this.#isExpirySaid = false;
    this.#parts.send(this.#held);
    if (leaf !== null) this.#first.resolve();
  }

  #leafOf(chainPem: string, keyPem: string, signer: string): Leaf {
    const validity = validityOf(chainPem);
    if (validity === null) throw new Error("the controller has sent no certificate");
    const { fromMs, untilMs } = validity;
    // Somewhere around the half, so that proxies which began together do not renew together.
    const share = 0.45 + 0.1 * Math.random();
    const lifeMs = untilMs - fromMs;
    const tickMs = this.#clock.tick();
    return {
      certificate: { chainPem, keyPem },
      signer,
      beginsAtMs: fromMs,
      expiresAtMs: untilMs,
      renewAtMs: fromMs + share * lifeMs,
      renewAtTickMs: tickMs + share * lifeMs,
      keepUntilTickMs: tickMs + CERTIFICATE_KEEP_SHARE * lifeMs,
    };
  }

  #tick(): void {
    this.#working = this.#working.then(() => this.#askIfDue()).catch((error) => {
      this.#fail(error instanceof Error ? error.message : String(error));
    });
    const leaf = this.#leaf;
    if (leaf === null || this.#isExpirySaid || this.#clock.now() < leaf.expiresAtMs) return;
    this.#isExpirySaid = true;
    this.#parts.log.warn("The certificate has expired", { reason: this.#problem });
  }

  async #askIfDue(): Promise<void> {
    const tickMs = this.#clock.tick();
    if (this.#asked !== null && tickMs > this.#asked.untilTickMs) {
      this.#asked = null;
      this.#fail("the controller does not answer");
    }
    const isFree = this.#challenge !== "" && this.#asked === null && this.#signer !== "";
    if (!isFree || tickMs < this.#notBeforeTickMs || !this.#isDue(tickMs)) return;
    const keys = await crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
    const csr = await writeSigningRequest(keys, {
      uri: this.#parts.uri,
      challenge: this.#challenge,
    });
    const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
    // The connection may have been lost meanwhile.
    if (this.#challenge === "") return;
    this.#challenge = "";
    this.#asked = { keyPem: pemOf(PRIVATE_KEY, key), untilTickMs: tickMs + CERTIFICATE_ANSWER_MS };
    // Whatever comes of it, the next one is not at once.
    this.#notBeforeTickMs = tickMs + this.#backoff.nextMs();
    this.#parts.send({ ...this.#held, csr: csr.toBase64() });
  }

  #isDue(tickMs: number): boolean {
    const leaf = this.#leaf;
    if (leaf === null || leaf.signer !== this.#signer) return true;
    if (tickMs < leaf.keepUntilTickMs) return false;
    return this.#clock.now() >= leaf.renewAtMs || tickMs >= leaf.renewAtTickMs;
  }

  /** What goes wrong in the same way again is said once. */
  #fail(problem: string): void {
    this.#problem = problem;
    if (problem === this.#saidProblem) return;
    this.#saidProblem = problem;
    this.#parts.log.warn("No new certificate", {
      reason: problem,
      ...(this.#leaf === null ? {} : { expires: new Date(this.#leaf.expiresAtMs).toISOString() }),
    });
  }

  #lookAtClock(timeMs: number): void {
    const aheadMs = this.#clock.now() - timeMs;
    const isWrong = Math.abs(aheadMs) > CLOCK_DIFFERENCE_MS_MAX;
    if (isWrong === this.#isClockWrong) return;
    this.#isClockWrong = isWrong;
    if (!isWrong) return;
    this.#parts.log.warn("The clock differs from the controller's", {
      aheadSeconds: Math.round(aheadMs / 1_000),
      advice: "certificates are not valid by a wrong clock: look at the time service of the node",
    });
  }
}
