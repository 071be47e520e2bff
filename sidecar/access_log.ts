/** One line for every answered request: in the formats that log collectors know, and for a person. */
import type { Output, Style } from "../console/output.ts";
import { printable } from "../console/text.ts";
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import type { AccessLogFormat } from "./settings.ts";

/** One line without its end. `timeMs` is when the answer ended, since 1970. */
export function formatAccess(
  format: Exclude<AccessLogFormat, "none">,
  record: RequestRecord,
  timeMs: number,
): string {
  const time = new Date(timeMs);
  return format === "json" ? formatJson(record, time) : formatCommon(record, time);
}

/** The line that stands for those that were dropped because they were not read in time. */
export function formatLost(format: AccessLogFormat, count: number): string {
  return format === "json" ? JSON.stringify({ lost: count }) : `# ${count} lines lost`;
}

function formatJson(record: RequestRecord, time: Date): string {
  const { listener: _listener, headers: _headers, ...fields } = record;
  return JSON.stringify({ time: time.toISOString(), ...fields });
}

/**
 * Common Log Format. The endpoint stands in the place of the user, which a sidecar does not have; what the format has no
 * place for follows it, by name.
 */
function formatCommon(record: RequestRecord, time: Date): string {
  const [, weekdayless] = /^\w+, (.*) GMT$/.exec(time.toUTCString()) ?? [];
  const [day, month, year, clock] = (weekdayless ?? "").split(" ");
  const line = requestLine(record);
  return `${record.peer || "-"} - ${record.endpoint || "-"} ` +
    `[${day}/${month}/${year}:${clock} +0000] ` +
    `"${escapeQuoted(line)}" ${record.status} ${record.responseBytes ?? "-"} ${named(record)}`;
}

/** As the client's proxy would have been sent it; `-` where the head could not be read. */
function requestLine({ method, authority, path, protocol }: RequestRecord): string {
  if (protocol === "") return "-";
  // A connection that is relayed, or asked for, has an address and no path.
  const isConnection = method === "TCP" || method === "CONNECT";
  return `${method} ${isConnection ? authority : `http://${authority}${path}`} ${protocol}`;
}

function named(record: RequestRecord): string {
  const { source, service, rule, split, backend, pod, reason, plan, trace } = record;
  const { attempts, requestBytes, grpcStatus } = record;
  const texts = { source, service, rule, split, backend, pod, reason, plan, trace };
  return [
    ...Object.entries(texts).map(([name, value]) => `${name}=${value || "-"}`),
    `attempts=${attempts}`,
    `request_bytes=${requestBytes ?? "-"}`,
    `grpc=${grpcStatus ?? "-"}`,
    `ms=${record.durationMs.toFixed(1)}`,
  ].join(" ");
}

/** A quote or a control character in a path must not end the field or the line. */
function escapeQuoted(text: string): string {
  return text.replace(/["\\]/g, "\\$&").replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/** `GET httpbin.httpbin:8080/test 200 -> httpbin-v2-0 by httpbin/httpbin-split 1.2 ms`. */
export function formatForPerson(output: Output, record: RequestRecord): string {
  const url = printable(`${record.authority}${record.path}`);
  const status = output.style(styleOf(record.status), String(record.status));
  const call = record.grpcStatus === null ? "" : ` grpc ${record.grpcStatus}`;
  const endpoint = record.pod || record.endpoint;
  const target = endpoint === "" ? record.reason || "no backend" : printable(endpoint);
  const split = record.split === "" ? "" : output.style("faint", ` by ${record.split}`);
  const reason = record.reason === "" || endpoint === "" ? "" : ` (${record.reason})`;
  const duration = output.style("faint", `${record.durationMs.toFixed(1)} ms`);
  return `${
    printable(record.method)
  } ${url} ${status}${call} -> ${target}${reason}${split} ${duration}`;
}

function styleOf(status: number): Style {
  if (status >= 500) return "error";
  return status >= 400 ? "warning" : "good";
}
