/**
 * IdentityIssuer: who signs certificates for proxies now, whom proxies are to trust, and the proxies that are told of both. What one proxy
 * asks for is an IdentitySession.
 */
import { DerError } from "../../base/der_reader.ts";
import { readSigningRequest, type SigningRequest } from "../../base/csr.ts";
import type { Log } from "../../base/log.ts";
import { formatWorkloadId } from "../../base/spiffe.ts";
import type { IdentityRequest } from "../../routing/source/messages.ts";
import type { CertificateRefusal, ControllerCounts } from "../metrics.ts";
import type { TokenSubject } from "../stream/token_reviews.ts";
import { IdentitySession } from "./identity_session.ts";
import { ISSUES_AT_ONCE_MAX, ISSUES_WAITING_MAX } from "./limits.ts";
import type { IdentityState } from "./provider.ts";

interface IssuerParts {
  readonly trustDomain: string;
  readonly counts: ControllerCounts;
  readonly log: Log;
}

/** Why a proxy is given no certificate. */
class RefusedError extends Error {
  readonly refusal: CertificateRefusal;

  constructor(refusal: CertificateRefusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

const NO_AUTHORITY: IdentityState = {
  roots: null,
  signer: "",
  provider: null,
  problem: "the controller has not read its authority yet",
  authorities: [],
  expiresAtMs: null,
};

export class IdentityIssuer {
  readonly #parts: IssuerParts;
  readonly #sessions = new Set<IdentitySession>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #state: IdentityState = NO_AUTHORITY;

  constructor(parts: IssuerParts) {
    this.#parts = parts;
  }

  get state(): IdentityState {
    return this.#state;
  }

  /** From now on. Every proxy is told. */
  set(state: IdentityState): void {
    const { roots, signer, problem } = this.#state;
    const isNews = roots?.hash !== state.roots?.hash || signer !== state.signer ||
      problem !== state.problem;
    this.#state = state;
    if (!isNews) return;
    for (const session of this.#sessions) session.changed();
  }

  /** Those that have their certificates from here, with what they have in force. */
  *proxies(): Iterable<readonly [name: string, held: Pick<IdentityRequest, "roots" | "signer">]> {
    for (const { name, held } of this.#sessions) {
      if (held !== null) yield [name, { roots: held.roots, signer: held.signer }];
    }
  }

  /**
   * @param name `namespace/pod`
   * @param subject whose token the proxy has shown; null: tokens are not looked at
   * @param onNews there is something to be told: call `next`, now or later
   */
  open(name: string, subject: TokenSubject | null, onNews: () => void): IdentitySession {
    const session = new IdentitySession({
      name,
      identity: this,
      subject,
      onNews,
      onClose: () => this.#sessions.delete(session),
    });
    this.#sessions.add(session);
    return session;
  }

  /**
   * A certificate for the account of `subject`, whatever the request says.
   * @param csr DER, in base64
   * @throws {RefusedError} it is not given one
   */
  async issue(csr: string, subject: TokenSubject | null, challenge: string): Promise<string> {
    const { counts, log } = this.#parts;
    const pod = `${subject?.namespace ?? ""}/${subject?.pod ?? ""}`;
    try {
      const chain = await this.#inTurn(() => this.#issueNow(csr, subject, challenge));
      counts.certificatesIssued++;
      log.debug("Certificate issued", { pod, signer: this.#state.signer });
      return chain;
    } catch (error) {
      const refused = error instanceof RefusedError
        ? error
        : new RefusedError("authority", error instanceof Error ? error.message : String(error));
      counts.certificatesRefused[refused.refusal]++;
      log.warn("Certificate refused", { pod, reason: refused.message });
      throw refused;
    }
  }

  async #issueNow(
    csr: string,
    subject: TokenSubject | null,
    challenge: string,
  ): Promise<string> {
    if (subject?.pod === undefined || subject.podUid === undefined) {
      throw new RefusedError("token", "its token is bound to no pod");
    }
    const bytes = bytesIn(csr);
    const request = await readRequest(bytes);
    const identity = `${subject.namespace}/${subject.serviceAccount}`;
    const uri = formatWorkloadId({ trustDomain: this.#parts.trustDomain, identity });
    if (request.uri !== uri) {
      throw new RefusedError(
        "identity",
        `it asks to be "${request.uri}", and its token is of "${uri}"`,
      );
    }
    if (request.challenge !== challenge) {
      throw new RefusedError("replay", "its request does not hold the last challenge");
    }
    const { provider, problem } = this.#state;
    if (provider === null) throw new RefusedError("authority", problem);
    return await provider.issue({ publicKey: request.publicKey, uri, csr: bytes });
  }

  async #inTurn<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < ISSUES_AT_ONCE_MAX) this.#running++;
    else if (this.#waiting.length >= ISSUES_WAITING_MAX) {
      throw new RefusedError("busy", "too many ask at once");
    } else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // The next takes this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

function bytesIn(base64: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(base64);
  } catch {
    throw new RefusedError("csr", "its request is no base64");
  }
}

async function readRequest(bytes: Uint8Array): Promise<SigningRequest> {
  try {
    return await readSigningRequest(bytes);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new RefusedError("csr", `its request ${error.message}`);
  }
}
