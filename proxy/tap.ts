/**
 * Taps: streams of answered requests for whoever asks the admin port. The event loops report requests only while there is a
 * tap; a reader that is too slow loses records, and is told how many.
 */
import type { RequestRecord } from "./config.ts";
import { TAP_RECORDS_MAX, TAPS_MAX } from "./limits.ts";

/** Which records a tap takes; null: any. */
export interface TapFilter {
  readonly method: string | null;
  readonly pathPrefix: string | null;
  /** `503`, or `5xx` for its class. */
  readonly status: string | null;
  /** `namespace/service` or `namespace/service:port`. */
  readonly service: string | null;
  /** Records after which the stream ends. */
  readonly limit: number;
}

const PARAMETERS = ["method", "path", "status", "service", "limit"];

/** The filter that a query asks for, or what is wrong with it. */
export function parseTapFilter(parameters: URLSearchParams): TapFilter | string {
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) {
      return `Unknown parameter: ${name}; there are ${PARAMETERS.join(", ")}`;
    }
  }
  const status = parameters.get("status");
  if (status !== null && !/^(\d{3}|\dxx)$/.test(status)) return "status is like 503 or 5xx";
  const limit = parameters.get("limit");
  if (limit !== null && !/^[1-9]\d{0,8}$/.test(limit)) return "limit is a whole number from 1";
  return {
    method: parameters.get("method")?.toUpperCase() ?? null,
    pathPrefix: parameters.get("path"),
    status,
    service: parameters.get("service"),
    limit: limit === null ? Infinity : Number(limit),
  };
}

export function matchesTap(filter: TapFilter, record: RequestRecord): boolean {
  const { method, pathPrefix, status, service } = filter;
  if (method !== null && record.method !== method) return false;
  if (pathPrefix !== null && !record.path.startsWith(pathPrefix)) return false;
  if (service !== null && !isService(record.service, service)) return false;
  if (status === null) return true;
  return status.endsWith("xx")
    ? Math.trunc(record.status / 100) === Number(status[0])
    : record.status === Number(status);
}

/** @param recorded `namespace/service:port` */
function isService(recorded: string, asked: string): boolean {
  return recorded === asked || recorded.startsWith(`${asked}:`);
}

export class Taps {
  readonly #taps = new Set<Tap>();
  readonly #report: (isOn: boolean) => Promise<void>;

  /** @param report has every event loop report its requests, or stop it */
  constructor(report: (isOn: boolean) => Promise<void>) {
    this.#report = report;
  }

  /** Lines of JSON, from when this resolves on; null: there are as many taps as may be. */
  async open(filter: TapFilter): Promise<ReadableStream<Uint8Array> | null> {
    if (this.#taps.size >= TAPS_MAX) return null;
    const tap = new Tap(filter, () => this.#end(tap));
    this.#taps.add(tap);
    try {
      await this.#report(true);
    } catch (error) {
      tap.close();
      throw error;
    }
    return tap.stream;
  }

  /** @param timeMs when the request was answered, since 1970 */
  offer(record: RequestRecord, timeMs: number): void {
    for (const tap of this.#taps) tap.offer(record, timeMs);
  }

  /** Ends every stream. */
  close(): void {
    for (const tap of this.#taps) tap.close();
  }

  #end(tap: Tap): void {
    if (!this.#taps.delete(tap) || this.#taps.size > 0) return;
    // A loop that has ended reports nothing any more.
    this.#report(false).catch(() => {});
  }
}

class Tap {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #filter: TapFilter;
  readonly #onEnd: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #left: number;
  #dropped = 0;

  constructor(filter: TapFilter, onEnd: () => void) {
    this.#filter = filter;
    this.#onEnd = onEnd;
    this.#left = filter.limit;
    this.stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#sayDropped(),
      cancel: () => {
        this.#controller = null;
        onEnd();
      },
    }, { highWaterMark: TAP_RECORDS_MAX });
  }

  offer(record: RequestRecord, timeMs: number): void {
    const controller = this.#controller;
    if (controller === null || !matchesTap(this.#filter, record)) return;
    if ((controller.desiredSize ?? 0) <= 0) {
      this.#dropped++;
      return;
    }
    this.#sayDropped();
    this.#write({ time: new Date(timeMs).toISOString(), ...record });
    if (--this.#left === 0) this.close();
  }

  close(): void {
    const controller = this.#controller;
    if (controller === null) return;
    this.#sayDropped();
    this.#controller = null;
    controller.close();
    this.#onEnd();
  }

  #sayDropped(): void {
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#write({ dropped });
  }

  #write(value: unknown): void {
    this.#controller?.enqueue(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  }
}
