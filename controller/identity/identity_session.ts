/** IdentitySession: one proxy's certificates on its connection: whom it trusts, whose certificate it shows, and what it is to be told next. */
import type { IdentityRequest, IdentityUpdate } from "../../routing/source/messages.ts";
import type { TokenSubject } from "../stream/token_reviews.ts";
import { CONNECTION_CSRS_MAX, PROBLEM_CHARACTERS_MAX } from "./limits.ts";
import type { IdentityState } from "./provider.ts";

interface SessionParts {
  readonly identity: {
    readonly state: IdentityState;
    issue(csr: string, subject: TokenSubject | null, challenge: string): Promise<string>;
  };
  /** `namespace/pod`. */
  readonly name: string;
  /** Null: its token has not been looked at. */
  readonly subject: TokenSubject | null;
  readonly onNews: () => void;
  readonly onClose: () => void;
}

export class IdentitySession {
  readonly #parts: SessionParts;
  /** What it has in force. Null: it has not asked for certificates. */
  #held: IdentityRequest | null = null;
  #isDue = false;
  #challenge = newChallenge();
  #csrs = 0;
  #isIssuing = false;
  /** To be told once. */
  #chain: string | null = null;
  #problem: string | null = null;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.name;
  }

  /** What the proxy has in force; null: it has its certificates from elsewhere. */
  get held(): IdentityRequest | null {
    return this.#held;
  }

  close(): void {
    this.#parts.onClose();
  }

  /** Null: it was taken. Else why the connection is to end. */
  take(request: IdentityRequest): string | null {
    const isFirst = this.#held === null;
    this.#held = request;
    const { csr } = request;
    if (csr !== undefined) {
      if (this.#isIssuing) return "it asks for two certificates at once";
      if (++this.#csrs > CONNECTION_CSRS_MAX) return "it asks for too many certificates";
      this.#issue(csr);
    } else if (isFirst) this.changed();
    return null;
  }

  /** Another authority signs, or is trusted. */
  changed(): void {
    if (this.#held === null) return;
    this.#isDue = true;
    this.#parts.onNews();
  }

  /** What the proxy is to be told now; null: nothing new. Counts as told from now on. */
  next(): IdentityUpdate | null {
    if (!this.#isDue) return null;
    const { roots, signer, problem } = this.#parts.identity.state;
    const reason = this.#problem ?? problem;
    const update = {
      ...{ roots, signer, challenge: this.#challenge, timeMs: Date.now() },
      ...(this.#chain === null ? {} : { chain: this.#chain }),
      ...(reason === "" ? {} : { problem: reason.slice(0, PROBLEM_CHARACTERS_MAX) }),
    };
    this.#isDue = false;
    this.#chain = null;
    this.#problem = null;
    return update;
  }

  async #issue(csr: string): Promise<void> {
    const { identity, subject } = this.#parts;
    const challenge = this.#challenge;
    this.#challenge = newChallenge();
    this.#isIssuing = true;
    try {
      this.#chain = await identity.issue(csr, subject, challenge);
    } catch (error) {
      this.#problem = error instanceof Error ? error.message.split("\n")[0] : String(error);
    } finally {
      this.#isIssuing = false;
    }
    this.changed();
  }
}

/** So long that none is guessed. */
function newChallenge(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
