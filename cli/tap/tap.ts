/** The work of `weft tap`: the stream of a proxy's admin address, line by line, to text for a person or as it came. */
import { directClient } from "../../base/direct_client.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import type { Output } from "../../console/output.ts";
import { formatForPerson } from "../../sidecar/access_log.ts";
import { printable } from "../../console/text.ts";
import { parseHostPort } from "../../console/values.ts";
import { causeText } from "../../base/text.ts";
import { TAP_PODS_MAX } from "../limits.ts";
import type { ClusterOptions } from "../cluster/options.ts";

const LOCAL_ADMIN = "127.0.0.1:15000";

interface TapFilters {
  readonly header: readonly string[];
  readonly method?: string | undefined;
  readonly path?: string | undefined;
  readonly authority?: string | undefined;
  readonly status?: string | undefined;
  readonly service?: string | undefined;
  readonly route?: string | undefined;
  readonly split?: string | undefined;
  readonly backend?: string | undefined;
  readonly source?: string | undefined;
  readonly limit?: string | undefined;
}

interface TapOptions extends TapFilters, ClusterOptions {
  readonly pod?: string | undefined;
  readonly admin?: string | undefined;
  readonly output: "text" | "json";
}

/** Ends with 0 at a stop signal, at the limit, and when the proxy ends, or all of them. */
export async function runTap(options: TapOptions, environment: Environment): Promise<ExitCode> {
  const { pod, admin } = options;
  if (pod !== undefined && admin !== undefined) {
    throw usageFailure("--pod and --admin name two proxies: give one");
  }
  const stop = new AbortController();
  const stopListening = environment.onStopSignal(() => stop.abort());
  const tap: Tap = { options, environment, stop, seen: 0 };
  try {
    if (pod === undefined) await tapAt(admin ?? LOCAL_ADMIN, "", tap);
    else await tapPods(pod, tap);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    stopListening();
  }
  return EXIT.ok;
}

/** One call of the command, whatever the number of proxies. */
interface Tap {
  readonly options: TapOptions;
  readonly environment: Environment;
  readonly stop: AbortController;
  /** Requests of all proxies so far. */
  seen: number;
}

async function tapPods(pod: string, tap: Tap): Promise<void> {
  const { options, environment, stop } = tap;
  // Without a cluster nothing of its client is needed.
  const { withPodAdmins } = await import("../pod/with_pod.ts");
  await withPodAdmins(pod, TAP_PODS_MAX, options, environment, async (at, { name }, pods) => {
    if (pods === 1) return await tapAt(at, "", tap);
    await tapAt(at, name, tap).catch((error) => {
      // The others go on: pods of a workload come and go.
      if (!stop.signal.aborted) environment.stderr.line(`weft: ${name}: ${causeText(error)}`);
    });
  });
}

/** @param from the pod, where there are several */
async function tapAt(admin: string, from: string, tap: Tap): Promise<void> {
  const { options, environment: { stdout }, stop } = tap;
  const isJson = options.output === "json";
  for await (const line of await openTap(admin, options, stop.signal)) {
    if (from === "") stdout.line(isJson ? line : renderLine(stdout, line));
    else if (isJson) stdout.line(JSON.stringify({ sidecar: from, ...JSON.parse(line) }));
    else stdout.line(`${from} ${renderLine(stdout, line)}`);
    // A proxy ends its own stream at the limit.
    if (from !== "" && ++tap.seen === Number(options.limit)) stop.abort();
  }
}

/** Throws a failure if nothing answers, or refuses. */
async function openTap(
  admin: string,
  { header, method, path, authority: host, status, ...others }: TapFilters,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  const { address, port } = parseHostPort(admin);
  const query = new URLSearchParams();
  const { service, route, split, backend, source, limit } = others;
  const filters = { method, path, authority: host, status, service, route, split, backend };
  for (const [name, value] of Object.entries({ ...filters, source, limit })) {
    if (value !== undefined) query.append(name, value);
  }
  for (const one of header) query.append("header", one);
  const authority = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const url = new URL(`http://${authority}/tap?${query}`);
  const init = { signal, client: directClient(url) };
  const response = await fetch(url, init).catch((error) => {
    if (signal.aborted) throw error;
    throw new CommandFailure(`No answer from a proxy at ${admin}`, {
      hint: "Give the address that it prints at its start as `admin`.",
    });
  });
  if (response.ok && response.body !== null) return linesOf(response.body, admin, signal);
  const [problem] = (await response.text()).split("\n");
  throw new CommandFailure(
    `The proxy at ${admin} answered ${response.status}: ${printable(problem.slice(0, 200))}`,
    { exitCode: response.status === 400 ? EXIT.usage : EXIT.failed },
  );
}

async function* linesOf(
  body: ReadableStream<Uint8Array>,
  admin: string,
  signal: AbortSignal,
): AsyncIterable<string> {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  // Deno's fetch forgets the signal of a long answer: what it derives from it is collected as garbage.
  signal.addEventListener("abort", () => reader.cancel().catch(() => {}));
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error instanceof DOMException) throw error;
      throw new CommandFailure(`The proxy at ${admin} has gone`);
    });
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** `12:03:04.567 GET httpbin.httpbin:8080/test 200 -> httpbin-v2-0 by httpbin/httpbin-split 1.2 ms`. */
function renderLine(output: Output, line: string): string {
  const told = JSON.parse(line) as (RequestRecord & { time: string }) | { dropped: number };
  if ("dropped" in told) {
    return output.style("warning", `and ${told.dropped} more, which this reader was too slow for`);
  }
  const headers = Object.entries(told.headers).map(([name, value]) => ` ${name}=${value}`).join("");
  const time = output.style("faint", told.time.slice(11, 23));
  return `${time} ${formatForPerson(output, told)}${printable(headers)}`;
}
