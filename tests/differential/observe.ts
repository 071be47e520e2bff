/** Sends each case through a proxy, and notes what its client and its origin saw. */
import { RawSocket, statusOf } from "../support/raw_socket.ts";
import { type ProxyContender } from "./contenders.ts";
import { type SmugglingCase, SUFFIX } from "./corpus.ts";
import { type Reading, RecordingOrigin, type SeenRequest } from "./recording_origin.ts";

export interface Observation {
  /** Statuses of the answers that the client got. */
  readonly statuses: readonly number[];
  /** Whole requests that the origin read. */
  readonly seen: readonly SeenRequest[];
  readonly readings: readonly Reading[];
}

/** One case after another, so that what the origin sees belongs to the case in hand. */
export async function observeAll(
  cases: readonly SmugglingCase[],
  start: (originPort: number) => Promise<ProxyContender>,
): Promise<Observation[]> {
  await using origin = new RecordingOrigin();
  await using contender = await start(origin.port);
  const observations: Observation[] = [];
  for (const { text } of cases) observations.push(await observe(text, contender.port, origin));
  return observations;
}

async function observe(text: string, port: number, origin: RecordingOrigin): Promise<Observation> {
  using client = await RawSocket.connect(port);
  await client.send(text + SUFFIX).catch(() => {});
  const statuses: number[] = [];
  try {
    for (;;) statuses.push(statusOf(await client.readResponse()));
  } catch {
    // The proxy has ended the connection: by now it has passed on all that it will.
  }
  const readings = origin.take();
  return { statuses, seen: readings.flatMap(({ requests }) => requests), readings };
}

/** Whether the proxy itself turned the case away: nothing that the origin could read, or had to refuse, got there. */
export function isRefused({ statuses, seen, readings }: Observation): boolean {
  const isPassedOn = seen.length > 0 || readings.some(({ rest }) => rest === "not");
  return !isPassedOn && (statuses.length === 0 || statuses[0] >= 400);
}

/** In a few words, for the table: what reached the origin, or the status of the refusal. */
export function describeObservation(observation: Observation): string {
  const { statuses, seen, readings } = observation;
  if (isRefused(observation)) {
    return statuses.length === 0 ? "closed" : `refused (${statuses[0]})`;
  }
  const isMalformed = readings.some(({ rest }) => rest === "not");
  const bodies = seen.filter(({ target }) => target !== "/after").map(({ body }) =>
    body === "" ? "no body" : `${body.length} bytes`
  );
  const isNextRead = seen.some(({ target }) => target === "/after");
  // The status of what follows, where it was turned away instead.
  const last = statuses.at(-1) ?? 0;
  return [
    ...(isMalformed ? ["passed on malformed"] : []),
    ...(bodies.length > 0 ? bodies : isMalformed ? [] : ["refused"]),
    ...(isNextRead ? ["next"] : last >= 400 && !isMalformed ? [`then ${last}`] : []),
  ].join(", ");
}
