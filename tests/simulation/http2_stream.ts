/** What an `Http2Peer` knows of each stream, and the settings that it begins with. */
import type { HeaderField } from "./hpack.ts";
import { frames } from "./http2_frames.ts";
import type { Settings } from "./http2_frames.ts";
import type { RunState } from "./run_state.ts";

interface Outgoing {
  readonly body: Uint8Array;
  sent: number;
  readonly trailers: readonly HeaderField[];
  /** Nothing follows: no end, no trailers. */
  readonly isCut: boolean;
  readonly onSent: () => void;
}

export class PeerStream {
  readonly id: number;
  /** Bytes that may be sent, and that the proxy may send. */
  sendWindow: number;
  credit: number;
  /** Bytes received for which the proxy got no window back. */
  unreturned = 0;
  /** The proxy never gets a window back. */
  isStarved = false;
  hasHead = false;
  hasEnded = false;
  hasSentEnd = false;
  isReset = false;
  wasResetByProxy = false;
  outgoing: Outgoing | null = null;
  owner: unknown = null;

  constructor(id: number, sendWindow: number, credit: number) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.credit = credit;
  }

  get isOver(): boolean {
    return this.isReset || (this.hasEnded && this.hasSentEnd);
  }
}

export function drawSettings({ world, isCalm }: RunState, isClient: boolean): Settings {
  const entries: [number, number][] = isClient ? [[frames.SETTING_PUSH, 0]] : [];
  if (world.chance(0.5)) {
    const windows = isCalm ? [200, 1_000, 16_384, 200_000] : [0, 1, 100, 5_000, 65_536];
    entries.push([frames.SETTING_WINDOW, world.pick(windows)]);
  }
  if (world.chance(0.3)) entries.push([frames.SETTING_TABLE, world.pick([0, 64, 200, 10_000])]);
  if (!isClient && world.chance(0.4)) {
    entries.push([frames.SETTING_STREAMS, world.pick(isCalm ? [1, 2, 10] : [0, 1, 3, 100])]);
  }
  if (!isClient) entries.push([frames.SETTING_CONNECT, 1]);
  if (world.chance(0.1)) entries.push([frames.SETTING_FRAME, 65_536]);
  return entries;
}
