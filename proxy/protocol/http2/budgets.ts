/**
 * What a peer may do how often. Everything here is allowed by RFC 9113, costs it little and us more, and has been used to bring
 * servers down. A peer that spends a budget is sent GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 10.5).
 *
 * A budget holds `burst`, grows by `perSecond`, and is earned back by honest work: a busy connection does more of everything, so
 * only what comes without work is bounded. Counts numbers; knows neither frames nor streams.
 */

/**
 * RST_STREAM for a request that is under way: each costs an exchange that is begun and torn down (CVE-2023-44487). And requests above the
 * limit of streams, which are reset here.
 */
export const BUDGET_RESETS = 0;
/** Streams that the peer makes us reset by breaking rules: the same by another road (CVE-2025-8671). */
export const BUDGET_STREAM_ERRORS = 1;
/** SETTINGS: each is acknowledged and may visit every stream (CVE-2019-9515). */
export const BUDGET_SETTINGS = 2;
/** PING: each is answered (CVE-2019-9512). */
export const BUDGET_PINGS = 3;
/** DATA without data that ends nothing (CVE-2019-9518). */
export const BUDGET_EMPTY_DATA = 4;
/** WINDOW_UPDATE: each may wake every stream that waits. */
export const BUDGET_WINDOW_UPDATES = 5;
/** PRIORITY, unknown frames and acknowledgements of nothing: read and ignored (CVE-2019-9513). */
export const BUDGET_IGNORED = 6;
/** Frames on streams that are over: each is read, and a head decoded, for nothing. */
export const BUDGET_LATE = 7;
/** DATA that the peer's window makes us cut into crumbs (CVE-2019-9511). */
export const BUDGET_CRUMBS = 8;

interface Budget {
  readonly burst: number;
  readonly perSecond: number;
  /** For logs and GOAWAY. */
  readonly debug: string;
}

const BUDGETS: readonly Budget[] = [
  // A client may well give up all of its streams at once, and once more after a retry. Earned: one an answered request.
  { burst: 600, perSecond: 20, debug: "too many resets" },
  // A mistake is made by a program, so it is made often; but not for ever. Earned: one an answered request.
  { burst: 200, perSecond: 10, debug: "too many invalid streams" },
  // One at the start; a few more from peers that tune their windows.
  { burst: 40, perSecond: 1, debug: "too many SETTINGS" },
  // Keep-alive is one in some seconds. Peers that measure bandwidth send one a round trip while data flows, so DATA
  // frames earn: one each, either way.
  { burst: 200, perSecond: 10, debug: "too many PINGs" },
  // Some libraries flush with one. Earned: one a DATA frame with data.
  { burst: 100, perSecond: 10, debug: "too many empty DATA frames" },
  // At most two a DATA frame that they answer, so sending one earns two; a new stream may bring one.
  { burst: 1_000, perSecond: 100, debug: "too many WINDOW_UPDATEs" },
  // Older browsers and nghttp2 open with a tree of six and send one a request. Earned: one a request.
  { burst: 200, perSecond: 10, debug: "too many ignored frames" },
  // All streams of a connection may be reset at once, each with a head, an end and a reset still on their way. Earned: three a
  // stream that is reset here, one a stream that is opened.
  { burst: 1_000, perSecond: 10, debug: "too many frames on streams that are over" },
  // A window that is just used up leaves a crumb now and then. Earned: one a DATA frame that is none.
  { burst: 200, perSecond: 20, debug: "the window is too small" },
];

/** What may still be on its way on a stream that is reset here: a head, an end and a reset. */
export const LATE_FRAMES = 3;

export class Budgets {
  readonly #left = Float64Array.from(BUDGETS, ({ burst }) => burst);
  #refilledMs = 0;

  /** Spends one. False: there is none left. */
  spend(budget: number, nowMs: number): boolean {
    if (nowMs > this.#refilledMs) this.#refill(nowMs);
    if (this.#left[budget] < 1) return false;
    this.#left[budget]--;
    return true;
  }

  earn(budget: number, count: number): void {
    this.#left[budget] = Math.min(BUDGETS[budget].burst, this.#left[budget] + count);
  }

  #refill(nowMs: number): void {
    const seconds = (nowMs - this.#refilledMs) / 1000;
    this.#refilledMs = nowMs;
    for (let i = 0; i < BUDGETS.length; i++) {
      this.#left[i] = Math.min(BUDGETS[i].burst, this.#left[i] + seconds * BUDGETS[i].perSecond);
    }
  }
}

/** What the peer overdid, for GOAWAY and logs. */
export function budgetDebug(budget: number): string {
  return BUDGETS[budget].debug;
}
