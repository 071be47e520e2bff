/** Asks the admin address of a running proxy where a request would go. */
import { directClient } from "../../base/direct_client.ts";
import type { CallExplanation, CallOrigin, Explanation } from "../../routing/table/explanation.ts";
import { CommandFailure } from "../../console/exit.ts";
import { formatHostPort, parseHostPort, type RequestLine } from "../../console/values.ts";
import { ADMIN_ANSWER_MS } from "../limits.ts";

/** Who sends a request to the application; both null: it is the application's own. */
interface AskedCaller {
  /** `namespace/serviceaccount`. */
  readonly caller: string | null;
  readonly origin: CallOrigin | null;
}

/**
 * The proxy's explanation, as it came: of a request of its own application, or of one that another caller
 * sends to the application. Throws a failure if nothing answers, or something else than a proxy does.
 */
export async function askAdmin(
  admin: string,
  request: RequestLine,
  headers: readonly string[],
  { caller, origin }: AskedCaller,
): Promise<Explanation | CallExplanation> {
  const query = new URLSearchParams({
    method: request.method,
    url: request.url,
    ...(caller === null && origin === null ? {} : { side: "inbound", caller: caller ?? "" }),
    ...(origin === null ? {} : { peer: origin.peer }),
    ...(origin?.serverName == null ? {} : { serverName: origin.serverName }),
  });
  for (const header of headers) query.append("header", header);
  const url = new URL(`http://${formatHostPort(parseHostPort(admin))}/explain?${query}`);
  const client = directClient(url);
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, { client, signal: AbortSignal.timeout(ADMIN_ANSWER_MS) });
    text = await answer.text();
  } catch (error) {
    const isSilent = error instanceof DOMException && error.name === "TimeoutError";
    throw new CommandFailure(
      `No answer from a proxy at ${admin}${isSilent ? ` within ${ADMIN_ANSWER_MS / 1_000} s` : ""}`,
      { hint: "Give the address that it prints at its start as `admin`." },
    );
  } finally {
    client.close();
  }
  if (!answer.ok) {
    throw new CommandFailure(`The proxy at ${admin} answered ${answer.status}: ${firstLine(text)}`);
  }
  const explanation = parseExplanation(text);
  if (explanation === null) {
    throw new CommandFailure(`What answered at ${admin} is not a Weft proxy`);
  }
  return explanation;
}

/** Looks no further than at what nothing else sends: the answer is from a proxy of this program. */
function parseExplanation(text: string): Explanation | CallExplanation | null {
  try {
    const value: unknown = JSON.parse(text);
    const isExplanation = typeof value === "object" && value !== null && "planHash" in value &&
      "access" in value && "outcome" in value;
    return isExplanation ? value as Explanation | CallExplanation : null;
  } catch {
    return null;
  }
}

function firstLine(text: string): string {
  return text.split("\n")[0].slice(0, 200) || "nothing";
}
