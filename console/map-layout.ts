/**
 * Positions of the nodes: columns from the application to the replicas, or rows on a narrow page.
 */
import type { MapView } from "../src/console/protocol.js";
import { YOU } from "./traffic.js";

/** What a node is in the network; `you` is the application. */
export type Role = "you" | "gateway" | "mix" | "service" | "replica";

/** A node and its position on the map. */
export interface PlacedNode {
  readonly name: string;
  readonly label: string;
  readonly role: Role;
  readonly x: number;
  readonly y: number;
}

/** The layout of the map, in pixels. */
export interface MapLayout {
  readonly width: number;
  readonly height: number;
  readonly nodeWidth: number;
  readonly nodeHeight: number;
  readonly groups: readonly {
    readonly heading: string;
    readonly x: number;
    readonly y: number;
    readonly anchor: "middle" | "start";
    readonly nodes: readonly PlacedNode[];
  }[];
  readonly byName: ReadonlyMap<string, PlacedNode>;
}

/** Smallest width that has room for columns, in pixels. */
const COLUMNS_FROM = 720;
const NODE_HEIGHT = 44;
const GAP = 18;
const HEADING = 30;
const MARGIN = 8;

interface Group {
  readonly heading: string;
  readonly role: Role;
  readonly nodes: readonly { readonly name: string; readonly label: string }[];
}

function groupsOf(map: MapView): readonly Group[] {
  const named = (nodes: readonly { readonly name: string }[]) =>
    nodes.map(({ name }) => ({ name, label: name }));
  return [
    { heading: "you", role: "you", nodes: [{ name: YOU, label: "program" }] },
    { heading: "gateway", role: "gateway", nodes: named(map.gateways) },
    ...map.layers.map((layer, i): Group => {
      return { heading: `mix layer ${i + 1}`, role: "mix", nodes: named(layer) };
    }),
    { heading: "service nodes, couriers", role: "service", nodes: named(map.services) },
    { heading: "storage replicas", role: "replica", nodes: named(map.replicas) },
  ].filter(({ nodes }) => nodes.length > 0) as readonly Group[];
}

/** Places the nodes of a network on a map of the given width in pixels. */
export function layOut(map: MapView, width: number): MapLayout {
  const groups = groupsOf(map);
  return width >= COLUMNS_FROM ? inColumns(groups, width) : inRows(groups, width);
}

function inColumns(groups: readonly Group[], width: number): MapLayout {
  const step = (width - 2 * MARGIN) / groups.length;
  const nodeWidth = Math.min(132, step - GAP);
  const most = Math.max(...groups.map(({ nodes }) => nodes.length));
  const height = HEADING + most * (NODE_HEIGHT + GAP) + GAP;
  return finish(width, height, nodeWidth, groups, (group, i) => {
    const x = MARGIN + step * (i + 0.5);
    const used = group.nodes.length * (NODE_HEIGHT + GAP) - GAP;
    const top = HEADING + (height - HEADING - used) / 2;
    return {
      heading: { x, y: 18, anchor: "middle" },
      at: (n) => ({ x, y: top + n * (NODE_HEIGHT + GAP) + NODE_HEIGHT / 2 }),
    };
  });
}

function inRows(groups: readonly Group[], width: number): MapLayout {
  const most = Math.max(...groups.map(({ nodes }) => Math.min(nodes.length, 3)));
  const nodeWidth = Math.min(132, (width - 2 * MARGIN) / most - 10);
  const perRow = Math.max(1, Math.floor((width - 2 * MARGIN) / (nodeWidth + 10)));
  let top = 0;
  const tops = groups.map(({ nodes }) => {
    const at = top;
    top += 24 + Math.ceil(nodes.length / perRow) * (NODE_HEIGHT + 8) + 14;
    return at;
  });
  return finish(width, top, nodeWidth, groups, (group, i) => ({
    heading: { x: MARGIN, y: tops[i]! + 15, anchor: "start" },
    at: (n) => {
      const row = Math.floor(n / perRow);
      const inRow = Math.min(perRow, group.nodes.length - row * perRow);
      const start = (width - inRow * (nodeWidth + 10) + 10) / 2;
      return {
        x: start + (n % perRow) * (nodeWidth + 10) + nodeWidth / 2,
        y: tops[i]! + 24 + row * (NODE_HEIGHT + 8) + NODE_HEIGHT / 2,
      };
    },
  }));
}

interface GroupPlace {
  readonly heading: { readonly x: number; readonly y: number; readonly anchor: "middle" | "start" };
  readonly at: (n: number) => { readonly x: number; readonly y: number };
}

function finish(
  width: number,
  height: number,
  nodeWidth: number,
  groups: readonly Group[],
  place: (group: Group, i: number) => GroupPlace,
): MapLayout {
  const byName = new Map<string, PlacedNode>();
  const placed = groups.map((group, i) => {
    const { heading, at } = place(group, i);
    const nodes = group.nodes.map(({ name, label }, n): PlacedNode => {
      const node = { name, label, role: group.role, ...at(n) };
      byName.set(name, node);
      return node;
    });
    return { heading: group.heading, ...heading, nodes };
  });
  return { width, height, nodeWidth, nodeHeight: NODE_HEIGHT, groups: placed, byName };
}
