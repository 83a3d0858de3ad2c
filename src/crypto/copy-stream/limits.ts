/** Bounds of copy streams. spec/pigeonhole §7 to §9.1. */

/** Most boxes that a copy stream may take. */
export const MAX_COPY_STREAM_BOXES = 65_536;
/** Most envelopes that a copy stream may carry. */
export const MAX_COPY_STREAM_ENVELOPES = 65_536;
/** Longest payload of one call and destination, in bytes: 10 MiB. */
export const MAX_COPY_PAYLOAD = 10 * 1024 * 1024;

/** Element header: flags (1), data length (4). */
export const ELEMENT_HEADER_LENGTH = 5;
/** Length in front of each envelope in the stream. */
export const ENVELOPE_PREFIX_LENGTH = 4;

/** Flag bits of an element. */
export const COPY_STREAM_START = 1;
export const COPY_STREAM_FINAL = 2;
