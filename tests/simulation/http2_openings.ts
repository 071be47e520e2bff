/** How endpoints that are to speak HTTP/2 begin, and must not (RFC 9113 3.4): everything but SETTINGS first is a broken connection. */
import { concatenate } from "./exchange.ts";
import { encodeLiterals } from "./hpack.ts";
import { frames } from "./http2_frames.ts";

export interface Opening {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The bytes alone say that no HTTP/2 is to come; else only time can tell. */
  readonly isTelling: boolean;
  /** Some of it is right, so that a request may have been sent before the rest was seen. */
  readonly mayBeAsked?: true;
}

function telling(name: string, bytes: string | Uint8Array): Opening {
  return { name, bytes: typeof bytes === "string" ? latin1(bytes) : bytes, isTelling: true };
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (one) => one.charCodeAt(0));
}

function setting(id: number, value: number): Uint8Array {
  return frames.frame(
    frames.SETTINGS,
    0,
    0,
    concatenate([Uint8Array.of(0, id), frames.uint32(value)]),
  );
}

const HEAD = encodeLiterals([[":status", "200"]]);

export const OPENINGS: readonly Opening[] = [
  telling(
    "an answer of HTTP/1.1",
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry",
  ),
  telling("an answer of HTTP/1.0, without an end", "HTTP/1.0 505 No\r\n\r\n"),
  telling("an answer without a head", "<html>400 The plain HTTP request was sent</html>"),
  telling("a banner of SMTP", "220 mail.example ESMTP\r\n"),
  telling("a few bytes of memcached", "ERROR\r\n"),
  telling("a banner of SSH", "SSH-2.0-OpenSSH_9.7\r\n"),
  telling("a greeting of MySQL", "\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0"),
  telling("an alert of TLS", "\x15\x03\x01\0\x02\x02\x46\x15\x03\x01\0\x02"),
  telling("an alert of TLS alone", "\x15\x03\x01\0\x02\x02\x28"),
  telling("its own preface, as a client", frames.PREFACE),
  telling("zeros", new Uint8Array(64)),
  telling("PING", frames.frame(frames.PING, 0, 0, new Uint8Array(8))),
  telling("GOAWAY", frames.goaway(0, frames.NO_ERROR)),
  telling("GOAWAY with an error", frames.goaway(0, 11)),
  telling("WINDOW_UPDATE", frames.windowUpdate(0, 1)),
  telling("RST_STREAM", frames.reset(1, frames.REFUSED_STREAM)),
  telling("an answer before SETTINGS", frames.frame(frames.HEADERS, frames.END_HEADERS, 1, HEAD)),
  telling("a frame of an unknown type", frames.frame(0x42, 0, 0, new Uint8Array(3))),
  telling("an acknowledgement of SETTINGS", frames.frame(frames.SETTINGS, frames.ACK, 0)),
  telling("SETTINGS on a stream", frames.frame(frames.SETTINGS, 0, 1)),
  telling("SETTINGS of 5 bytes", frames.frame(frames.SETTINGS, 0, 0, new Uint8Array(5))),
  telling("SETTINGS that allow push", setting(frames.SETTING_PUSH, 1)),
  telling("SETTINGS with a window over 2^31 - 1", setting(frames.SETTING_WINDOW, 2 ** 31)),
  telling("SETTINGS with frames of 1 byte", setting(frames.SETTING_FRAME, 1)),
  telling("SETTINGS too large for a frame", Uint8Array.of(1, 0, 0, frames.SETTINGS, 0, 0, 0, 0, 0)),
  {
    ...telling(
      "SETTINGS, then bytes that are no frame",
      concatenate([frames.settings([]), latin1("HTTP/1.1 400 Bad Request\r\n\r\n")]),
    ),
    mayBeAsked: true,
  },
  { name: "nothing", bytes: new Uint8Array(), isTelling: false },
  { name: "half a head of a frame", bytes: Uint8Array.of(0, 0, 0, 4), isTelling: false },
  {
    name: "half of SETTINGS",
    bytes: setting(frames.SETTING_STREAMS, 1).subarray(0, 12),
    isTelling: false,
  },
];
