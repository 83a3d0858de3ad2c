/** Readable dumps for people and logs. */
import { toHex, isBytes } from "../bytes/bytes.js";
import { type PkiDocument, isPkiDocument } from "./document.js";
import type { MixDescriptor } from "./mix-descriptor.js";

const indentation = "    ";

/**
 * Formats `obj` over several lines, indented by four spaces per level: byte arrays in hex, maps by
 * their entries, `[circular]` if a value contains itself. It does not hide anything: a capability
 * in the value is shown too.
 */
export function prettyPrintObj(obj: unknown): string {
  return render(obj, "", new Set());
}

/**
 * Formats a document, with its members' names on the wire, decoded descriptors, and the layers of
 * its topology in one list. The document does not change.
 */
export function prettyPrintPkiDoc(doc: PkiDocument): string {
  if (!isPkiDocument(doc)) throw new TypeError("`doc` must be a PkiDocument");
  const members = new Map(doc.fields) as Map<unknown, unknown>;
  const decoded = (nodes: readonly MixDescriptor[]): unknown[] => nodes.map((node) => node.fields);
  if (members.has("GatewayNodes")) members.set("GatewayNodes", decoded(doc.gatewayNodes));
  if (members.has("ServiceNodes")) members.set("ServiceNodes", decoded(doc.serviceNodes));
  if (members.has("Topology")) members.set("Topology", decoded(doc.topology.flat()));
  return prettyPrintObj(members);
}

function render(value: unknown, indent: string, open: Set<object>): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return `[function ${value.name}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (isBytes(value)) return toHex(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "?" : value.toISOString();
  if (open.has(value)) return "[circular]";
  open.add(value);
  const inner = indent + indentation;
  let text: string;
  if (Array.isArray(value) || value instanceof Set) {
    text = block(
      "[",
      "]",
      indent,
      [...value].map((element) => render(element, inner, open)),
    );
  } else {
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    const lines = entries.map(([key, member]) => `${keyText(key)}: ${render(member, inner, open)}`);
    text = block("{", "}", indent, lines);
  }
  open.delete(value);
  return text;
}

function keyText(key: unknown): string {
  return isBytes(key) ? toHex(key) : String(key);
}

function block(start: string, end: string, indent: string, lines: readonly string[]): string {
  if (lines.length === 0) return start + end;
  const inner = `\n${indent}${indentation}`;
  return `${start}${inner}${lines.join(`,${inner}`)}\n${indent}${end}`;
}
