/**
 * The type of all byte arrays for compilers before TypeScript 5.7, where `Uint8Array` is not generic:
 * `Uint8Array<ArrayBuffer>` is an error there, and with `skipLibCheck` silently `any`.
 */

/** A byte array that owns its memory. */
export type Bytes = Uint8Array;
