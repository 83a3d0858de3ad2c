/** Network page: a map that shows packets on their real routes with their real delays. */
import { signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { knowledge } from "../knowledge.js";
import { type MapLayout, type PlacedNode, type Role, layOut } from "../map-layout.js";
import { Do, Explain, Learns, clockTime, counted, duration } from "../parts.js";
import {
  catchUp,
  live,
  pause,
  play,
  playback,
  setSpeed,
  showTime,
  shownRange,
  shownTime,
  speed,
  speeds,
} from "../playback.js";
import { isEmbedded, isTraced, second, state, traffic } from "../store.js";
import { YOU, placeOf } from "../traffic.js";

const chosen = signal<string | null>(null);

const names: Readonly<Record<Role, string>> = {
  you: "Your program and its daemon",
  gateway: "A gateway",
  mix: "A mix",
  service: "A courier or another service",
  replica: "A storage replica",
};

export function Network() {
  const { map } = state.value!;
  if (map === null) return <p>There is no document yet, so nobody knows who is in the network.</p>;
  return (
    <>
      <div class="buttons">
        <Do action={{ do: "echo" }}>Send an echo</Do>
        <Do action={{ do: "write" }}>Write a box</Do>
        <Do action={{ do: "read" }} disabled={state.value!.boxes.length === 0}>
          Read a box
        </Do>
        <span class="legend">
          <span class="dot packet" /> packet of a program <span class="dot decoy" /> cover traffic{" "}
          <span class="dot storage" /> courier and replica <span class="dot lost" /> lost
        </span>
      </div>
      {isTraced.value && (
        <p class="note">
          Press a button and follow the orange dot: it rests at each node for a random time and
          returns on another path. Choose a node to see what it learns.
        </p>
      )}
      {!isTraced.value && (
        <p class="note">
          <strong>Paths are unknown.</strong> The daemon chooses the path of each packet and does
          not report it, so no packets are drawn. The nodes are those of the public document.
        </p>
      )}
      <Map />
      {isTraced.value && <Time />}
      <div class="two">
        <About />
        <Counts />
      </div>
      <p class="note">
        Directory authorities, aside from all traffic:{" "}
        {map.authorities === null ? "unknown" : map.authorities.join(", ")}. They sign the document
        that lists these nodes.
      </p>
    </>
  );
}

/** Moves the map through the time that was recorded. */
function Time() {
  void second.value;
  const { about, clock } = state.value!;
  // A playback that has reached the present goes on as what happens now.
  useEffect(catchUp);
  const back = playback.value;
  const { first, last } = shownRange();
  const at = shownTime();
  const behind = Math.max(0, last - at);
  const when = back === null ? "now" : `${clockTime(at)}, ${duration(behind)} ago`;
  const plays = back !== null && back.speed > 0;
  return (
    <section class="time card" aria-label="Time that the map shows">
      <div class="buttons">
        <button type="button" onClick={plays ? pause : play}>
          {plays ? "Pause" : back === null ? "Play from the beginning" : "Play"}
        </button>
        <button type="button" onClick={live} aria-pressed={back === null}>
          Show now
        </button>
        <label class="filter">
          Speed{" "}
          <select
            value={speed.value}
            onChange={({ currentTarget }) => setSpeed(Number(currentTarget.value))}
          >
            {speeds.map((one) => (
              <option key={one} value={one}>
                {one} ×
              </option>
            ))}
          </select>
        </label>
        {about.virtual && (
          <>
            <Do action={{ do: "clock", how: clock.running ? "pause" : "run", ms: 50 }}>
              {clock.running ? "Stop the clock" : "Run the clock"}
            </Do>
            <Do action={{ do: "clock", how: "step", ms: 100 }}>Step 100 ms</Do>
            <Do action={{ do: "clock", how: "step", ms: 1000 }}>Step 1 s</Do>
          </>
        )}
      </div>
      <label class="slider">
        <span>Time</span>
        <input
          type="range"
          min={0}
          max={Math.max(1, Math.round(last - first))}
          step={100}
          value={Math.round(at - first)}
          aria-valuetext={when}
          onInput={({ currentTarget }) => showTime(first + Number(currentTarget.value))}
        />
        <output>{when}</output>
      </label>
    </section>
  );
}

function Map() {
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(960);
  const { map } = state.value!;
  // Before the page is painted: otherwise a frame shows a map that is too wide, and one without a canvas.
  useLayoutEffect(() => {
    const element = holder.current!;
    const measure = () => setWidth(Math.max(300, Math.floor(element.clientWidth)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const topology = JSON.stringify(map);
  const layout = useMemo(() => layOut(map!, width), [topology, width]);
  useLayoutEffect(() => draw(canvas.current!, layout), [layout]);
  void second.value;
  return (
    <div class="map" ref={holder}>
      <svg
        width={layout.width}
        height={layout.height}
        viewBox={`0 0 ${layout.width} ${layout.height}`}
        role="group"
        aria-label="Map of the network: choose a node to see what it learns"
      >
        <Lines layout={layout} />
        {layout.groups.map((group) => (
          <g key={group.heading}>
            <text class="heading" x={group.x} y={group.y} text-anchor={group.anchor}>
              {group.heading}
            </text>
            {group.nodes.map((node) => (
              <Node key={node.name} node={node} layout={layout} />
            ))}
          </g>
        ))}
      </svg>
      <canvas ref={canvas} aria-hidden="true" />
    </div>
  );
}

function Lines({ layout }: { readonly layout: MapLayout }) {
  const lines = [];
  const { groups } = layout;
  for (let i = 1; i < groups.length; i++) {
    for (const a of groups[i - 1]!.nodes) {
      for (const b of groups[i]!.nodes) {
        lines.push(
          <line key={`${a.name} ${b.name}`} class="line" x1={a.x} y1={a.y} x2={b.x} y2={b.y} />,
        );
      }
    }
  }
  return <g>{lines}</g>;
}

function Node({ node, layout }: { readonly node: PlacedNode; readonly layout: MapLayout }) {
  const { nodeWidth: width, nodeHeight: height } = layout;
  const down = state.value!.replicas?.find(({ name }) => name === node.name)?.offline ?? false;
  const counts = playback.value === null ? traffic.counts : pastCounts();
  const count = counts.get(node.name) ?? 0;
  const choose = () => (chosen.value = chosen.value === node.name ? null : node.name);
  const note = down
    ? "stopped"
    : node.name === YOU
      ? "and its daemon"
      : counted(count, node.role === "replica" ? "command" : "packet");
  const shown = isTraced.value && (isEmbedded.value || node.role !== "replica");
  return (
    <g
      class={`node ${node.role}${chosen.value === node.name ? " chosen" : ""}${down ? " down" : ""}`}
      role="button"
      tabindex={0}
      aria-pressed={chosen.value === node.name}
      aria-label={`${node.label} ${shown || node.name === YOU ? note : ""}: ${names[node.role]}`}
      onClick={choose}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      }}
    >
      <rect x={node.x - width / 2} y={node.y - height / 2} width={width} height={height} rx="9" />
      <text class="title" x={node.x} y={node.y - 3} text-anchor="middle">
        {fitted(node.label, width)}
      </text>{" "}
      <text class="note" x={node.x} y={node.y + 13} text-anchor="middle">
        {shown || node.name === YOU ? note : ""}
      </text>
    </g>
  );
}

let past: { readonly at: number; readonly counts: ReadonlyMap<string, number> } | null = null;

/** The counts at the time that is shown, computed once for all nodes. */
function pastCounts(): ReadonlyMap<string, number> {
  const at = Math.round(shownTime());
  if (past === null || Math.abs(past.at - at) > 50) past = { at, counts: traffic.countsAt(at) };
  return past.counts;
}

/** Shortens a label so that it fits into a node. The node's accessible label has the whole name. */
function fitted(label: string, width: number): string {
  const most = Math.floor(width / 8.4);
  return label.length > most ? `${label.slice(0, most - 1)}…` : label;
}

function About() {
  const { map } = state.value!;
  const role = roleOf(chosen.value);
  if (role === null) {
    return (
      <section class="card">
        <h2>Who learns what?</h2>
        <p>Choose a node of the map to see what its operator learns, and what not. Or read all:</p>
        {(["gateway", "mix", "service", "replica"] as const).map((one) => (
          <Explain key={one} question={`What does ${names[one].toLowerCase()} learn?`}>
            <Learns of={knowledge[one]} />
          </Explain>
        ))}
        <Explain question="What does a directory authority learn?">
          <Learns of={knowledge.authority} />
        </Explain>
      </section>
    );
  }
  const services = map!.services.find(({ name }) => name === chosen.value)?.services;
  return (
    <section class="card" aria-live="polite">
      <h2>{chosen.value === YOU ? names.you : `${chosen.value}: ${names[role].toLowerCase()}`}</h2>
      {services && <p>Its services: {services.join(", ")}.</p>}
      <Learns of={knowledge[role]} />
    </section>
  );
}

function roleOf(name: string | null): Role | null {
  const { map } = state.value!;
  if (name === null || map === null) return null;
  if (name === YOU) return "you";
  const among = (nodes: readonly { readonly name: string }[]) =>
    nodes.some((node) => node.name === name);
  if (among(map.gateways)) return "gateway";
  if (map.layers.some(among)) return "mix";
  if (among(map.services)) return "service";
  return among(map.replicas) ? "replica" : null;
}

const trafficNames: Readonly<Record<string, string>> = {
  sent: "left clients, cover traffic included",
  decoys: "of these cover traffic",
  delivered: "reached a service",
  undeliverable: "had no such service",
  replies: "replies reached a client",
  lost: "lost, each way",
  dropped: "dropped by a node, as required",
};

function Counts() {
  const { traffic: counts } = state.value!;
  return (
    <section class="card">
      <h2>Packets up to now</h2>
      {counts === null ? (
        <p>
          <span class="unknown">unknown</span>: a daemon does not tell its clients.
        </p>
      ) : (
        <table>
          <tbody>
            {Object.entries(trafficNames).map(
              ([name, meaning]) =>
                counts[name] !== undefined && (
                  <tr key={name}>
                    <td class="number">{counts[name]}</td>
                    <th scope="row">{meaning}</th>
                  </tr>
                ),
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** Frame times in ms: the time between two frames, and the time to draw one. */
export const frames: { readonly between: number[]; readonly drawing: number[] } = {
  between: [],
  drawing: [],
};

const MOST_FRAMES = 600;

/** Draws packets until the returned function is called. */
function draw(canvas: HTMLCanvasElement, layout: MapLayout): () => void {
  const context = canvas.getContext("2d")!;
  const ratio = globalThis.devicePixelRatio || 1;
  canvas.width = layout.width * ratio;
  canvas.height = layout.height * ratio;
  canvas.style.width = `${layout.width}px`;
  canvas.style.height = `${layout.height}px`;
  context.scale(ratio, ratio);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let frame = 0;
  let last = 0;
  const colours = coloursOf(canvas);
  const paint = (at: number): void => {
    const begun = performance.now();
    if (last > 0) frames.between.push(at - last);
    last = at;
    context.clearRect(0, 0, layout.width, layout.height);
    const time = shownTime();
    const theme = colours();
    const packets = playback.peek() === null ? traffic.packets : traffic.packetsAt(time);
    for (const packet of packets) {
      const place = placeOf(packet, time);
      if (place === null) continue;
      const from = layout.byName.get(place.from);
      const to = layout.byName.get(place.to);
      if (!from || !to) continue;
      const share = still.matches ? 1 : eased(place.share);
      // Packets are drawn below the names of the nodes; packets at the same node are spread out.
      const x = from.x + (to.x - from.x) * share + Math.cos(packet.phase) * 30;
      const below = layout.nodeHeight / 2 + 5 + Math.sin(packet.phase) * 2;
      const y = from.y + (to.y - from.y) * share + below;
      context.beginPath();
      if (place.lost) {
        context.strokeStyle = theme.lost;
        context.lineWidth = 2.5;
        const size = 5;
        context.moveTo(x - size, y - size);
        context.lineTo(x + size, y + size);
        context.moveTo(x + size, y - size);
        context.lineTo(x - size, y + size);
        context.stroke();
        continue;
      }
      context.arc(x, y, packet.kind === "decoy" ? 3.2 : 5.5, 0, 2 * Math.PI);
      context.fillStyle = theme[packet.kind];
      context.fill();
      if (packet.kind !== "decoy") {
        context.strokeStyle = theme.edge;
        context.lineWidth = 1.2;
        context.stroke();
      }
    }
    frames.drawing.push(performance.now() - begun);
    if (frames.between.length > MOST_FRAMES) frames.between.splice(0, MOST_FRAMES / 2);
    if (frames.drawing.length > MOST_FRAMES) frames.drawing.splice(0, MOST_FRAMES / 2);
    frame = requestAnimationFrame(paint);
  };
  frame = requestAnimationFrame(paint);
  return () => cancelAnimationFrame(frame);
}

function eased(share: number): number {
  return share < 0.5 ? 2 * share * share : 1 - 2 * (1 - share) * (1 - share);
}

/**
 * Reads the theme's colours only once in 60 calls, because reading them costs more than drawing.
 */
function coloursOf(element: Element) {
  let left = 0;
  let known = { packet: "", decoy: "", storage: "", lost: "", edge: "" };
  return () => {
    if (left-- <= 0) {
      left = 60;
      const style = getComputedStyle(element);
      const of = (name: string) => style.getPropertyValue(name).trim();
      known = {
        packet: of("--packet"),
        decoy: of("--decoy"),
        storage: of("--storage"),
        lost: of("--lost"),
        edge: of("--paper"),
      };
    }
    return known;
  };
}
