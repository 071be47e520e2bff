/** Bounds of the HTTP/2 machines, with the reason for each. What a peer may do how often is in `budgets.ts`. */

/** The largest frame that is taken: the least that may be offered (RFC 9113 6.5.2). It just outgrows a buffer. */
export const FRAME_BYTES_MAX = 16_384;

/** Decoder's dynamic table: the protocol's default, so that no peer has to be told. */
export const DECODER_TABLE_BYTES = 4096;

/**
 * The largest trailer section (names, values and 32 a field): what stands in one buffer of the arena as lines. As a head, a larger one
 * may be taken; how large is for the owner to say.
 */
export const TRAILER_LIST_BYTES_MAX = 15_360;

/**
 * CONTINUATION frames of one block. Honest peers fill theirs; the largest block that is taken needs seven, and some peers
 * send half of what a frame holds.
 */
export const CONTINUATIONS_MAX = 16;

/** Bytes kept of the content type of a head that is too large; one of gRPC is shorter, with a parameter too. */
export const CONTENT_TYPE_BYTES_MAX = 128;

/** Settings in one SETTINGS frame. Eight are defined; each new initial window costs a visit to every stream. */
export const SETTINGS_ENTRIES_MAX = 32;

/** Streams that a client may have open at once, unless an owner says otherwise. RFC 9113 6.5.2 advises at least 100. */
export const STREAMS_MAX = 256;

/** What a stream's peer may send before any is passed on: the protocol's default, four buffers. */
export const STREAM_WINDOW_BYTES = 65_535;

/** The same for all streams of a client's connection together: 16 streams at full speed before they share. */
export const CONNECTION_WINDOW_BYTES = 1_048_576;

/**
 * And for all streams of a connection to an endpoint: what `STREAMS_MAX` of them may send. Node's server resets streams (INTERNAL_ERROR)
 * that come to their end while the connection has no window left.
 */
export const ENDPOINT_WINDOW_BYTES = 16_777_216;

/**
 * Room of the output that only the machine's own frames may take. One frame of the peer causes at most a RST_STREAM and two
 * WINDOW_UPDATEs, or a PING and a GOAWAY; so nothing that it asks for can be lost for want of room.
 */
export const CONTROL_ROOM_BYTES = 128;

/** Less room than this is not worth a DATA frame, unless it ends the data. */
export const DATA_ROOM_BYTES_MIN = 1_024;

/** Streams that were reset here and of which the peer may not know yet, so what comes on them is passed over. */
export const RESET_STREAMS_REMEMBERED = 256;

/** Streams that have ended, remembered to tell STREAM_CLOSED from PROTOCOL_ERROR; only diagnosis hangs on it. */
export const ENDED_STREAMS_REMEMBERED = 32;

/** RFC 9113 6.9.1. */
export const WINDOW_MAX = 0x7fffffff;
/** Windows of a connection, and of streams until the peer says otherwise (RFC 9113 6.9.2). */
export const WINDOW_DEFAULT = 65_535;
/** The last stream id that a client can use. */
export const STREAM_ID_MAX = 0x7fffffff;

/** DATA shorter than this, for want of window only, is a crumb. */
export const CRUMB_BYTES_MAX = 64;

/** The size of an encoder's table, if the peer allows as much. It is also the size that holds until the peer says otherwise. */
export const ENCODER_TABLE_BYTES_MAX = 4096;

/** Bytes that continue an integer. Four hold 28 bits: more than any length or index that can be right. */
export const INTEGER_CONTINUATIONS_MAX = 4;
