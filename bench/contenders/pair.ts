/** Two proxies one behind the other, as the sidecars of a client and of a server, which speak mutual TLS 1.3 to each other. */
import { acceptsConnections } from "../process.ts";
import type { Setting } from "./contender.ts";

/** One command that runs both, so that what is measured of it is of both together. */
export function pairOf(client: readonly string[], server: readonly string[]): string[] {
  const quoted = (command: readonly string[]) =>
    command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  return [
    "sh",
    "-c",
    `${quoted(server)} & server=$!; ${quoted(client)} & client=$!; ` +
    "trap 'kill $server $client; wait; exit' TERM; wait",
  ];
}

/** Ready once both listen. */
export async function isPairListening({ port, peerPort }: Setting): Promise<boolean> {
  return await acceptsConnections(port) && await acceptsConnections(peerPort);
}
