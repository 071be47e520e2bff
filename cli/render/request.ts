/** One request that has ended, in a line for a person. */
import type { RequestRecord } from "../../proxy/config.ts";
import type { Output, Style } from "./output.ts";
import { printable } from "./text.ts";

/** `GET httpbin.httpbin:8080/test 200 -> httpbin-v2-0 by httpbin/httpbin-split 1.2 ms`. */
export function requestText(output: Output, record: RequestRecord): string {
  const url = printable(`${record.authority}${record.path}`);
  const status = output.style(styleOf(record.status), String(record.status));
  const call = record.grpcStatus === null ? "" : ` grpc ${record.grpcStatus}`;
  const taker = record.pod || record.endpoint;
  const target = taker === "" ? record.reason || "no backend" : printable(taker);
  const split = record.split === "" ? "" : output.style("faint", ` by ${record.split}`);
  const reason = record.reason === "" || taker === "" ? "" : ` (${record.reason})`;
  const duration = output.style("faint", `${record.durationMs.toFixed(1)} ms`);
  return `${
    printable(record.method)
  } ${url} ${status}${call} -> ${target}${reason}${split} ${duration}`;
}

function styleOf(status: number): Style {
  if (status >= 500) return "error";
  return status >= 400 ? "warning" : "good";
}
