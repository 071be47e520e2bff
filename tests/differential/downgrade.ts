/** Sends each case over HTTP/2 through a proxy to an origin of HTTP/1.1, and notes what both ends saw. */
import { concatenate } from "../simulation/exchange.ts";
import { encodeLiterals, HpackDecoder } from "../simulation/hpack.ts";
import { FrameCutter, frames } from "../simulation/http2_frames.ts";
import type { Frame } from "../simulation/http2_frames.ts";
import { bytesOf } from "../support/bytes_notation.ts";
import { soon } from "../support/until.ts";
import type { ProxyContender } from "./contenders.ts";
import type { DowngradeCase } from "./downgrade_corpus.ts";
import { type Reading, RecordingOrigin, type SeenRequest } from "./recording_origin.ts";

export interface DowngradeObservation {
  /** Of the answer to the case; null: its stream was reset or never answered. */
  readonly status: number | null;
  /** A second request on the same connection was answered. */
  readonly isNextAnswered: boolean;
  readonly seen: readonly SeenRequest[];
  readonly readings: readonly Reading[];
}

const CASE = 1;
const AFTER = 3;

export async function observeDowngrades(
  cases: readonly DowngradeCase[],
  start: (originPort: number) => Promise<ProxyContender>,
): Promise<DowngradeObservation[]> {
  await using origin = new RecordingOrigin();
  await using contender = await start(origin.port);
  const observations: DowngradeObservation[] = [];
  for (const one of cases) observations.push(await observe(one, contender.port, origin));
  return observations;
}

function bytesOfCase({ fields, data, trailers }: DowngradeCase): Uint8Array {
  const head = (id: number, block: Uint8Array, isEnd: boolean) =>
    frames.frame(frames.HEADERS, frames.END_HEADERS | (isEnd ? frames.END_STREAM : 0), id, block);
  const after = encodeLiterals([
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/after"],
    [":authority", "app"],
  ]);
  const parts = [
    frames.PREFACE,
    frames.settings([]),
    head(CASE, encodeLiterals(fields), data === null),
  ];
  if (data !== null) {
    const flags = trailers === null ? frames.END_STREAM : 0;
    parts.push(frames.frame(frames.DATA, flags, CASE, bytesOf(data)));
  }
  if (trailers !== null) parts.push(head(CASE, encodeLiterals(trailers), true));
  return concatenate([...parts, head(AFTER, after, true)]);
}

async function observe(
  one: DowngradeCase,
  port: number,
  origin: RecordingOrigin,
): Promise<DowngradeObservation> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const answers = new Answers();
  try {
    await socket.write(bytesOfCase(one));
    const cutter = new FrameCutter();
    const chunk = new Uint8Array(65_536);
    while (!answers.areOver) {
      const count = await soon("an answer, or the end", socket.read(chunk));
      if (count === null) break;
      for (const frame of cutter.cut(chunk.slice(0, count))) answers.take(frame);
    }
  } catch (error) {
    if (
      !(error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe)
    ) {
      throw error;
    }
  } finally {
    socket.close();
  }
  const readings = origin.take();
  return {
    status: answers.statuses.get(CASE) ?? null,
    isNextAnswered: answers.statuses.get(AFTER) === 200,
    seen: readings.flatMap(({ requests }) => requests),
    readings,
  };
}

/** The answers on one connection. */
class Answers {
  readonly statuses = new Map<number, number>();
  readonly #over = new Set<number>();
  readonly #hpack = new HpackDecoder();

  get areOver(): boolean {
    return this.#over.has(CASE) && this.#over.has(AFTER);
  }

  take(frame: Frame): void {
    const { type, flags, id } = frame;
    if (type === frames.HEADERS) {
      const fields = this.#hpack.decode(frames.bodyOfFrame(frame) ?? new Uint8Array());
      const status = Number(fields.find(([name]) => name === ":status")?.[1] ?? 0);
      if (status >= 200) this.statuses.set(id, status);
    }
    const isEnd = type === frames.HEADERS || type === frames.DATA;
    if (type === frames.RST_STREAM || (isEnd && (flags & frames.END_STREAM) !== 0)) {
      this.#over.add(id);
    }
  }
}

/** Nothing of the case reached the origin. */
export function isKept({ seen, readings }: DowngradeObservation): boolean {
  const isClean = readings.every(({ rest }) => rest !== "not");
  return isClean && seen.every(({ target }) => target === "/after");
}

/** In a few words, for the table. */
export function describeDowngrade(observation: DowngradeObservation): string {
  const { status, isNextAnswered, seen, readings } = observation;
  const next = isNextAnswered ? "" : ", and the connection with it";
  if (isKept(observation)) return `${status === null ? "refused" : `refused (${status})`}${next}`;
  const requests = seen.filter(({ target }) => target !== "/after").map((
    { method, target, body },
  ) => `${method} ${target}${body === "" ? "" : ` with ${body.length} bytes`}`);
  const isMalformed = readings.some(({ rest }) => rest === "not");
  return [...requests, ...(isMalformed ? ["passed on malformed"] : [])].join(", ") ||
    "passed on in part";
}
