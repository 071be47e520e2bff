/** SeldomLog: of what may happen as often as others like, one line in a while, and how many were not said since the one before. */
import type { LogEvent } from "../config.ts";

export class SeldomLog {
  readonly #intervalMs: number;
  readonly #onLog: (event: LogEvent) => void;
  #dueMs = -Infinity;
  #unsaid = 0;

  /** @param intervalMs between two lines */
  constructor(intervalMs: number, onLog: (event: LogEvent) => void) {
    this.#intervalMs = intervalMs;
    this.#onLog = onLog;
  }

  note(event: LogEvent, nowMs: number): void {
    if (nowMs < this.#dueMs) return void this.#unsaid++;
    this.#onLog({ ...event, fields: { ...event.fields, unsaid: this.#unsaid } });
    this.#unsaid = 0;
    this.#dueMs = nowMs + this.#intervalMs;
  }
}
