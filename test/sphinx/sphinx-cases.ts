/** Shared parts of Sphinx's vector files. */
import assert from "node:assert/strict";
import { type Bytes, type RandomSource, toHex } from "../../src/bytes/bytes.js";
import { Geometry, type GeometryFields } from "../../src/pki/geometry.js";
import type { RoutingCommand } from "../../src/sphinx/commands.js";
import type { SphinxHop } from "../../src/sphinx/path.js";
import { hex } from "../reference/load-vectors.js";

/** A command in the form of the files. */
export interface CommandVector {
  readonly type: RoutingCommand["type"];
  readonly id?: string;
  readonly mac?: string;
  readonly delayMs?: number;
}

/** A hop in the form of the files. */
export interface HopVector {
  readonly id: string;
  readonly publicKey: string;
  readonly privateKey: string;
  readonly commands: readonly CommandVector[];
}

/** The command that a vector describes. */
export function commandOf(v: CommandVector): RoutingCommand {
  switch (v.type) {
    case "NextNodeHop":
      return { type: v.type, id: hex(v.id!), mac: hex(v.mac!) };
    case "NodeDelay":
      return { type: v.type, delayMs: v.delayMs! };
    default:
      return { type: v.type, id: hex(v.id!) };
  }
}

/** A command in the form of the files. */
export function commandVector(command: RoutingCommand): CommandVector {
  switch (command.type) {
    case "NextNodeHop":
      return { id: toHex(command.id), mac: toHex(command.mac), type: command.type };
    case "NodeDelay":
      return { delayMs: command.delayMs, type: command.type };
    default:
      return { id: toHex(command.id), type: command.type };
  }
}

/** The path that a vector describes. */
export function pathOf(path: readonly HopVector[]): SphinxHop[] {
  return path.map(({ id, publicKey, commands }) => ({
    id: hex(id),
    publicKey: hex(publicKey),
    commands: commands.map(commandOf),
  }));
}

/** The geometry that a vector describes. */
export function geometryOf(fields: Record<string, number | string>): GeometryFields {
  return Geometry.fromWire(new Map(Object.entries(fields)));
}

/** A random source that returns these pieces, in order and complete. */
export function scripted(...pieces: readonly Uint8Array[]): RandomSource {
  const left = [...pieces];
  return (length) => {
    if (length === 0) return new Uint8Array(0);
    const piece = left.shift();
    assert.equal(piece?.length, length, "another length was drawn than the reference drew");
    return piece as Bytes;
  };
}

/** The error that `call` throws. */
export function failureOf(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  return assert.fail("must be refused");
}
