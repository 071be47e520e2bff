/** A line of the access log for one record, as the proxy writes it. */
import type { AccessLogFormat } from "../../proxy/config.ts";
import { AccessLines } from "../../proxy/observe/access_lines.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { RequestText } from "../../proxy/observe/request_text.ts";

/** One line without its end. `timeMs` is when the answer ended, since 1970. */
export function formatAccess(
  format: AccessLogFormat,
  record: RequestRecord,
  timeMs: number,
): string {
  let written = "";
  const lines = new AccessLines(format, (bytes) => {
    written += new TextDecoder().decode(bytes);
  }, () => timeMs);
  const text = new RequestText();
  text.set(record.method, record.authority, record.path, record.trace);
  lines.add(record, text);
  lines.hand();
  return written.replace(/\n$/, "");
}
