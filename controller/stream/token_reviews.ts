/**
 * TokenReviews: whose token a proxy presents. The API server says so (TokenReview, audience `weft`); its answers are kept, by the hash of
 * the token, so that a thousand proxies that come back at once are no thousand calls.
 */
import { sha256Hex } from "../../base/hash.ts";
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf, textField } from "../kube/fields.ts";
import { PROBLEM_CHARACTERS_MAX } from "../identity/limits.ts";
import { REFUSED_TOKEN_MS, REVIEWS_AT_ONCE_MAX, TOKENS_KNOWN_MAX } from "../limits.ts";
import type { ControllerCounts } from "../metrics.ts";

/** Of the projected token of a pod. */
const AUDIENCE = "weft";

const POD_NAME = "authentication.kubernetes.io/pod-name";
const POD_UID = "authentication.kubernetes.io/pod-uid";

/** Whose token it is. */
export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Undefined: the token is bound to no pod. */
  readonly pod: string | undefined;
  readonly podUid: string | undefined;
}

interface Known {
  /** A text: why the token was refused. */
  readonly subject: TokenSubject | string;
  readonly askedAtMs: number;
  /** By the token's own words, which the API server has confirmed. */
  readonly expiresAtMs: number;
}

export class TokenReviews {
  readonly #client: Pick<KubeClient, "call">;
  readonly #counts: ControllerCounts;
  readonly #isThere: (subject: TokenSubject) => boolean;
  readonly #known = new Map<string, Known>();
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param isThere whether the pod of a token is known to be there still: its token ends with it, and is asked about again */
  constructor(
    client: Pick<KubeClient, "call">,
    counts: ControllerCounts,
    isThere: (subject: TokenSubject) => boolean,
  ) {
    this.#client = client;
    this.#counts = counts;
    this.#isThere = isThere;
  }

  /**
   * A text: why the API server refuses the token.
   * @throws {Error} it cannot be asked, and has not been before
   */
  async subjectOf(token: string): Promise<TokenSubject | string> {
    const key = sha256Hex(token);
    const known = this.#known.get(key);
    const nowMs = Date.now();
    if (known !== undefined && this.#isFresh(known, nowMs)) return known.subject;
    try {
      const subject = await this.#review(token);
      this.#counts.tokenReviews[typeof subject === "string" ? "refused" : "good"]++;
      this.#keep(key, { subject, askedAtMs: nowMs, expiresAtMs: expiryOf(token) });
      return subject;
    } catch (error) {
      this.#counts.tokenReviews.failed++;
      // While the API server is away, who was known before is known still.
      const isKnown = known !== undefined && typeof known.subject !== "string" &&
        nowMs < known.expiresAtMs;
      if (isKnown) return known.subject;
      throw error;
    }
  }

  #isFresh({ subject, askedAtMs, expiresAtMs }: Known, nowMs: number): boolean {
    if (typeof subject === "string") return nowMs < askedAtMs + REFUSED_TOKEN_MS;
    return nowMs < expiresAtMs && this.#isThere(subject);
  }

  #keep(key: string, known: Known): void {
    this.#known.delete(key);
    this.#known.set(key, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > TOKENS_KNOWN_MAX) this.#known.delete(oldest);
  }

  async #review(token: string): Promise<TokenSubject | string> {
    if (this.#running < REVIEWS_AT_ONCE_MAX) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const review = await this.#client.call(
        "POST",
        "/apis/authentication.k8s.io/v1/tokenreviews",
        {
          body: {
            apiVersion: "authentication.k8s.io/v1",
            kind: "TokenReview",
            spec: { token, audiences: [AUDIENCE] },
          },
        },
      );
      return subjectIn(fieldsOf(fieldsOf(review)["status"]));
    } finally {
      // The next takes this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

function subjectIn(status: Readonly<Record<string, unknown>>): TokenSubject | string {
  const user = fieldsOf(status["user"]);
  const audiences = status["audiences"];
  const name = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(textField(user, "username") ?? "");
  const isGood = status["authenticated"] === true && Array.isArray(audiences) &&
    audiences.includes(AUDIENCE);
  if (!isGood || name === null) {
    const reason = textField(status, "error")?.slice(0, PROBLEM_CHARACTERS_MAX) ?? "";
    return `the API server does not accept its token${reason && `: ${reason}`}`;
  }
  const extra = (key: string) => {
    const values = fieldsOf(user["extra"])[key];
    return Array.isArray(values) && typeof values[0] === "string" ? values[0] : undefined;
  };
  const [, namespace, serviceAccount] = name;
  return { namespace, serviceAccount, pod: extra(POD_NAME), podUid: extra(POD_UID) };
}

/** The claim `exp` of a JWT (RFC 7519), in milliseconds; 0 where it cannot be read: it is asked about each time. */
function expiryOf(token: string): number {
  try {
    const [, payload = ""] = token.split(".");
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    return Number(fieldsOf(JSON.parse(new TextDecoder().decode(bytes)))["exp"]) * 1_000 || 0;
  } catch {
    return 0;
  }
}
