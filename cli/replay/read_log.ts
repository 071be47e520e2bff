/** The requests of a log, one after the other, with its format found out and progress shown. */
import type { Environment } from "../../console/environment.ts";
import type { Output } from "../../console/output.ts";
import { CommandFailure } from "../../console/exit.ts";
import { LOG_PROGRESS_MS } from "../limits.ts";
import { openLog } from "./log_file.ts";
import { formatOf, type LogFormat, type LoggedRequest } from "./log_formats.ts";

/** What was read. */
export interface LogCounts {
  /** Null: no line could be read. */
  readonly format: string | null;
  readonly bytes: number;
  readonly lines: number;
  readonly unreadable: number;
  /** As the log says of itself. */
  readonly lost: number;
}

/** What is done with the requests of one format. */
type LogReader = (request: LoggedRequest) => void;

/**
 * Reads a log to its end.
 * @param host of requests whose line names none; null: such a log is refused
 * @param open is called once the format is known
 */
export async function readLog(
  path: string,
  host: string | null,
  open: (format: LogFormat) => LogReader,
  { stderr }: Environment,
): Promise<LogCounts> {
  const log = await openLog(path);
  const progress = new Progress(stderr, log.sizeBytes);
  let format: LogFormat | null = null;
  let read: LogReader | null = null;
  const counts = { lines: 0, unreadable: 0, lost: 0 };
  for await (const batch of log.lines()) {
    for (const line of batch) {
      if (line === "" || line === "\r") continue;
      counts.lines++;
      format ??= line === null ? null : formatOf(line);
      const request = line === null ? null : format?.parse(line) ?? null;
      const lost = request !== null || line === null ? 0 : format?.lost?.(line) ?? 0;
      counts.lost += lost;
      if (request === null || format === null) {
        if (lost === 0) counts.unreadable++;
        continue;
      }
      read ??= open(format);
      read(withHost(request, host, format));
    }
    progress.show(log.readBytes);
  }
  progress.end();
  return { format: format?.name ?? null, bytes: log.readBytes, ...counts };
}

function withHost(request: LoggedRequest, host: string | null, { name }: LogFormat): LoggedRequest {
  if (request.authority !== "") return request;
  if (host === null) {
    throw new CommandFailure(
      `The log (${name}) does not name the host of ${request.method} ${request.path}`,
      {
        hint: "Say which host it is of: --host web.shop:80",
      },
    );
  }
  return { ...request, authority: host };
}

/** A line that is written over, where a person looks at it. */
class Progress {
  readonly #output: Output;
  readonly #sizeBytes: number | null;
  readonly #startMs = performance.now();
  #shownMs = performance.now();
  #isShown = false;

  constructor(output: Output, sizeBytes: number | null) {
    this.#output = output;
    this.#sizeBytes = sizeBytes;
  }

  show(readBytes: number): void {
    const nowMs = performance.now();
    if (!this.#output.isTerminal || nowMs - this.#shownMs < LOG_PROGRESS_MS) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    const megabytes = readBytes / 1e6;
    const rate = `${(megabytes / (nowMs - this.#startMs) * 1_000).toFixed(0)} MB/s`;
    const size = this.#sizeBytes;
    const bar = size === null || size === 0 ? "" : `${barText(this.#output, readBytes / size)} `;
    this.#output.write(`\r\x1b[2K${bar}${megabytes.toFixed(0)} MB, ${rate}`);
  }

  end(): void {
    if (this.#isShown) this.#output.write("\r\x1b[2K");
  }
}

const BAR_CELLS = 30;

function barText({ hasUnicode }: Output, share: number): string {
  const full = Math.round(BAR_CELLS * Math.min(1, share));
  const [done, left] = hasUnicode ? ["█", "░"] : ["#", "."];
  return `${done.repeat(full)}${left.repeat(BAR_CELLS - full)} ${(share * 100).toFixed(0)}%`;
}
