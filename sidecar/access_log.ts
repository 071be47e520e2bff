/** What stands in the access log besides its lines, and a line for a person. */
import type { Output, Style } from "../console/output.ts";
import { printable } from "../console/text.ts";
import type { AccessLogFormat } from "../proxy/config.ts";
import type { RequestRecord } from "../proxy/observe/request_record.ts";

/** The line that stands for those that were dropped because they were not read in time. */
export function formatLost(format: AccessLogFormat | "none", count: number): string {
  return format === "json" ? JSON.stringify({ lost: count }) : `# ${count} lines lost`;
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
