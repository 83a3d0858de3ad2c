/**
 * The type of all byte arrays for compilers before TypeScript 5.7. There `Uint8Array` is not
 * generic, so `Uint8Array<ArrayBuffer>` is an error, or silently `any` with `skipLibCheck`.
 */

/** A byte array that owns its memory. */
export type Bytes = Uint8Array;
