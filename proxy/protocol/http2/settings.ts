/** SETTINGS (RFC 9113 6.5, RFC 8441 3): what a peer has set, what is set here, and which values are refused. */
import { FLOW_CONTROL_ERROR, NO_ERROR, PROTOCOL_ERROR } from "./error_code.ts";
import { DECODER_TABLE_BYTES, FRAME_BYTES_MAX, WINDOW_DEFAULT, WINDOW_MAX } from "./limits.ts";

export const HEADER_TABLE_SIZE = 0x1;
const ENABLE_PUSH = 0x2;
const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;
const MAX_FRAME_SIZE = 0x5;
const MAX_HEADER_LIST_SIZE = 0x6;
export const ENABLE_CONNECT_PROTOCOL = 0x8;

export const SETTING_BYTES = 6;
/** The most that `writeInitialSettings` writes. */
export const INITIAL_SETTINGS_BYTES: number = 4 * SETTING_BYTES;

const FRAME_SIZE_LARGEST = 0xffffff;

export type Role = "client" | "server";

/** What the peer has set; the protocol's defaults until it has. */
export class PeerSettings {
  headerTableBytes = DECODER_TABLE_BYTES;
  streamsMax = Infinity;
  streamWindowBytes = WINDOW_DEFAULT;
  frameBytesMax = FRAME_BYTES_MAX;
  headerListBytesMax = Infinity;
  /** Extended CONNECT may be sent (RFC 8441 3). */
  takesConnectProtocol = false;

  /** Takes one setting from a peer in `role`; returns NO_ERROR, or why the connection cannot go on. */
  apply(role: Role, id: number, value: number): number {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.headerTableBytes = value;
        return NO_ERROR;
      case ENABLE_PUSH:
        // A server may not offer what only a client can allow (RFC 9113 6.5.2).
        return value === 0 || (value === 1 && role === "client") ? NO_ERROR : PROTOCOL_ERROR;
      case MAX_CONCURRENT_STREAMS:
        this.streamsMax = value;
        return NO_ERROR;
      case INITIAL_WINDOW_SIZE:
        if (value > WINDOW_MAX) return FLOW_CONTROL_ERROR;
        this.streamWindowBytes = value;
        return NO_ERROR;
      case MAX_FRAME_SIZE:
        if (value < FRAME_BYTES_MAX || value > FRAME_SIZE_LARGEST) return PROTOCOL_ERROR;
        this.frameBytesMax = value;
        return NO_ERROR;
      case MAX_HEADER_LIST_SIZE:
        this.headerListBytesMax = value;
        return NO_ERROR;
      case ENABLE_CONNECT_PROTOCOL:
        // Once allowed, it may not be taken back (RFC 8441 3).
        if (value > 1 || (value === 0 && this.takesConnectProtocol)) return PROTOCOL_ERROR;
        this.takesConnectProtocol = value === 1;
        return NO_ERROR;
      default:
        return NO_ERROR;
    }
  }
}

export interface OwnSettings {
  readonly role: Role;
  readonly streamsMax: number;
  readonly streamWindowBytes: number;
  readonly headerListBytesMax: number;
  readonly takesConnectProtocol: boolean;
}

/** Writes the settings that differ from the protocol's defaults; returns where they end. */
export function writeInitialSettings(bytes: Uint8Array, at: number, own: OwnSettings): number {
  if (own.role === "client") at = writeSetting(bytes, at, ENABLE_PUSH, 0);
  else {
    at = writeSetting(bytes, at, MAX_CONCURRENT_STREAMS, own.streamsMax);
    if (own.takesConnectProtocol) at = writeSetting(bytes, at, ENABLE_CONNECT_PROTOCOL, 1);
  }
  if (own.streamWindowBytes !== WINDOW_DEFAULT) {
    at = writeSetting(bytes, at, INITIAL_WINDOW_SIZE, own.streamWindowBytes);
  }
  return writeSetting(bytes, at, MAX_HEADER_LIST_SIZE, own.headerListBytesMax);
}

function writeSetting(bytes: Uint8Array, at: number, id: number, value: number): number {
  bytes[at] = id >>> 8;
  bytes[at + 1] = id;
  bytes[at + 2] = value >>> 24;
  bytes[at + 3] = value >>> 16;
  bytes[at + 4] = value >>> 8;
  bytes[at + 5] = value;
  return at + SETTING_BYTES;
}
