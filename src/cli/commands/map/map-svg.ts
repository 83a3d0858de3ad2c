/** The network as a picture: columns from the application to the storage replicas. */
import type { NetworkView } from "../../network-view.js";
import { replaceSteering } from "../../printable.js";

interface Box {
  readonly title: string;
  readonly note: string;
  readonly x: number;
  readonly y: number;
}

interface Column {
  readonly heading: string;
  readonly kind: "you" | "gateway" | "mix" | "service" | "replica";
  readonly nodes: readonly { readonly title: string; readonly note: string }[];
}

const BOX = { width: 148, height: 40 };
const GAP = { x: 48, y: 16 };
const TOP = 64;
const MARGIN = 24;
/** More lines than this between two columns would only be a grey area; one band shows the same. */
const MAX_LINES = 400;

const style = `
  svg { font: 12px system-ui, sans-serif; --ink: #1f2933; --dim: #66788a; --line: #b8c4d0;
    --paper: #ffffff; --you: #e8eef4; --gateway: #fde9c9; --mix: #d9e8fb; --service: #d8f0dc;
    --replica: #ecdff7; --way: #d9480f; }
  @media (prefers-color-scheme: dark) { svg { --ink: #e4e9ee; --dim: #9aa8b5; --line: #44515d;
    --paper: #12171c; --you: #26303a; --gateway: #4a3a1c; --mix: #1d3554; --service: #1e4427;
    --replica: #3d2a52; --way: #ff922b; } }
  .paper { fill: var(--paper); }
  .title { fill: var(--ink); font-weight: 600; }
  .note, .heading { fill: var(--dim); font-size: 11px; }
  .heading { font-weight: 600; letter-spacing: .04em; }
  .line { stroke: var(--line); stroke-width: 1; fill: none; opacity: .6; }
  .band { fill: var(--line); opacity: .25; }
  .way { stroke: var(--way); stroke-width: 2; fill: none; }
  .you { fill: var(--you); } .gateway { fill: var(--gateway); } .mix { fill: var(--mix); }
  .service { fill: var(--service); } .replica { fill: var(--replica); }
  rect.node { stroke: var(--line); }
`;

/**
 * An SVG of the topology. It is the same in every epoch if the nodes are the same. Any packet may
 * take any line from column to column; one route is highlighted.
 */
export function mapSvg(view: NetworkView): string {
  const columns = columnsOf(view);
  const rows = Math.max(...columns.map((column) => column.nodes.length));
  const height = TOP + rows * (BOX.height + GAP.y) + MARGIN + 16;
  const width = 2 * MARGIN + columns.length * (BOX.width + GAP.x) - GAP.x;
  const placed = columns.map((column, i) => place(column, i, height));
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">Katzenpost network</title>`,
    `<desc id="desc">${escape(describe(view))}</desc>`,
    `<style>${style}</style>`,
    `<rect class="paper" width="${width}" height="${height}" rx="12"/>`,
    ...placed.slice(1).flatMap((boxes, i) => links(placed[i]!, boxes)),
    ...placed.slice(1).map((boxes, i) => wayBetween(placed[i]!, i, boxes)),
    ...columns.flatMap((column, i) => columnParts(column, i, placed[i]!)),
    text(
      "note",
      MARGIN,
      height - 12,
      "the route of one message to a box; any other is equally likely",
      "start",
    ),
    `</svg>`,
  ];
  return `${parts.join("\n")}\n`;
}

function describe(view: NetworkView): string {
  const { gateways, layers, serviceNodes, replicas } = view;
  const mixes = layers.map((layer) => layer.length).join(" + ");
  return (
    `${gateways.length} gateways, ${layers.length} mix layers (${mixes} mixes), ` +
    `${serviceNodes.length} service nodes, ${replicas.length} storage replicas`
  );
}

function columnsOf(view: NetworkView): Column[] {
  const plain = (nodes: NetworkView["gateways"]): Column["nodes"] =>
    nodes.map(({ name }) => ({ title: name, note: "" }));
  const columns: Column[] = [
    { heading: "YOU", kind: "you", nodes: [{ title: "application", note: "and daemon" }] },
    { heading: "GATEWAYS", kind: "gateway", nodes: plain(view.gateways) },
    ...view.layers.map((layer, i): Column => {
      return { heading: `MIX LAYER ${i + 1}`, kind: "mix", nodes: plain(layer) };
    }),
    {
      heading: "SERVICES",
      kind: "service",
      nodes: view.serviceNodes.map(({ name, services }) => {
        return { title: name, note: services.join(", ") };
      }),
    },
    {
      heading: "STORAGE REPLICAS",
      kind: "replica",
      nodes: view.replicas.map(({ name, replicaId }) => ({ title: name, note: `ID ${replicaId}` })),
    },
  ];
  return columns.filter((column) => column.nodes.length > 0);
}

function place(column: Column, index: number, height: number): Box[] {
  const used = column.nodes.length * (BOX.height + GAP.y) - GAP.y;
  const top = TOP + (height - TOP - MARGIN - 16 - used) / 2;
  return column.nodes.map((node, i) => ({
    ...node,
    x: MARGIN + index * (BOX.width + GAP.x),
    y: Math.round(top + i * (BOX.height + GAP.y)),
  }));
}

function links(from: readonly Box[], to: readonly Box[]): string[] {
  if (from.length * to.length > MAX_LINES) {
    const [a, b] = [from[0]!, from.at(-1)!];
    const [c, d] = [to.at(-1)!, to[0]!];
    const right = a.x + BOX.width;
    return [
      `<path class="band" d="M${right} ${a.y}L${d.x} ${d.y}L${c.x} ${c.y + BOX.height}` +
        `L${right} ${b.y + BOX.height}Z"/>`,
    ];
  }
  return from.flatMap((a) => to.map((b) => curve("line", a, b)));
}

/** The highlighted route goes up and down, so that it looks like one of many. */
function wayBetween(from: readonly Box[], index: number, to: readonly Box[]): string {
  return curve("way", from[index % from.length]!, to[(index + 1) % to.length]!);
}

function curve(name: string, a: Box, b: Box): string {
  const [x1, y1] = [a.x + BOX.width, a.y + BOX.height / 2];
  const [x2, y2] = [b.x, b.y + BOX.height / 2];
  const middle = (x1 + x2) / 2;
  return `<path class="${name}" d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/>`;
}

function columnParts(column: Column, index: number, boxes: readonly Box[]): string[] {
  const middle = MARGIN + index * (BOX.width + GAP.x) + BOX.width / 2;
  const parts = [text("heading", middle, TOP - 28, column.heading)];
  for (const { title, note, x, y } of boxes) {
    const { width, height } = BOX;
    parts.push(
      `<g><title>${escape(note === "" ? title : `${title}: ${note}`)}</title>` +
        `<rect class="node ${column.kind}" x="${x}" y="${y}" width="${width}" ` +
        `height="${height}" rx="8"/>` +
        text("title", middle, note === "" ? y + 25 : y + 18, fitted(title)) +
        (note === "" ? "" : text("note", middle, y + 32, fitted(note))) +
        `</g>`,
    );
  }
  return parts;
}

function text(name: string, x: number, y: number, content: string, anchor = "middle"): string {
  return `<text class="${name}" x="${x}" y="${y}" text-anchor="${anchor}">${escape(content)}</text>`;
}

/** The part that fits into a box; the title has the whole name. */
function fitted(content: string): string {
  return content.length > 24 ? `${content.slice(0, 23)}…` : content;
}

/**
 * Others choose the names, so they must not become markup or contain characters that XML forbids.
 */
function escape(content: string): string {
  const escaped = content
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
  // Somebody may view the picture as text in a terminal.
  return replaceSteering(escaped, (code) => `&#x${code.toString(16)};`);
}
