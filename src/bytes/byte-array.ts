/**
 * The type of all byte arrays here. package.json resolves `#bytes` to this file, and for compilers
 * before TypeScript 5.7 to `byte-array-older.ts`. So no other declaration depends on the compiler.
 */

/** A byte array that owns its memory. */
export type Bytes = Uint8Array<ArrayBuffer>;
