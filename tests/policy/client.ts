/** A client of host `app` that asks one thing after another. */
import assert from "node:assert/strict";
import { headerOf, type RawMessage, RawSocket, statusOf } from "../support/raw_socket.ts";

export const GET = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";

/** A request with these header lines and this body. */
export function request(
  method: string,
  { headers = [], body = "" }: { readonly headers?: readonly string[]; readonly body?: string } =
    {},
): string {
  const lines = [`${method} / HTTP/1.1`, "Host: app", ...headers];
  if (body !== "") lines.push(`Content-Length: ${body.length}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Sends a request and reads its answer. */
export async function ask(client: RawSocket, text = GET): Promise<RawMessage> {
  await client.send(text);
  return await client.readResponse();
}

/** `200 body`, or `503 reason` of an answer that the proxy made itself. */
export function outcomeOf(answer: RawMessage): string {
  const reason = headerOf(answer, "x-weft-reason");
  return `${statusOf(answer)} ${reason ?? answer.body}`;
}

/** Sends a request and wants this `outcomeOf` it. */
export async function want(client: RawSocket, outcome: string, text = GET): Promise<RawMessage> {
  const answer = await ask(client, text);
  assert.equal(outcomeOf(answer), outcome);
  return answer;
}

/** Asks so many times, and counts the outcomes. */
export async function tally(
  client: RawSocket,
  times: number,
  text: string | ((i: number) => string) = GET,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < times; i++) {
    const outcome = outcomeOf(await ask(client, typeof text === "string" ? text : text(i)));
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}
