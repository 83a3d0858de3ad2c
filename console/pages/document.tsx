/** Document page: the consensus, who signed it, and what changed since the previous epoch. */
import { differences } from "../../src/console/document-differences.js";
import type { DocumentView } from "../../src/console/protocol.js";
import { Do, Explain, Unknown, perSecond } from "../parts.js";
import { isEmbedded, state } from "../store.js";

export function DocumentPage() {
  const { documents, geometry } = state.value!;
  const [current, before] = documents;
  if (!current) {
    return <p class="empty">There is no document yet. The daemon gets it from its gateway.</p>;
  }
  return (
    <>
      <div class="two">
        <section class="card">
          <h2>Document of epoch {current.epoch}</h2>
          <p>
            {current.nodes.length} nodes, {current.length} bytes with its signatures, version{" "}
            {current.version}.
          </p>
          <Signatures document={current} />
          {isEmbedded.value && (
            <div class="buttons">
              <Do action={{ do: "epoch" }}>Start the next epoch</Do>
            </div>
          )}
        </section>
        <section class="card">
          <h2>What changed since the epoch before</h2>
          {before?.epoch === current.epoch - 1 ? (
            <Difference current={current} before={before} />
          ) : (
            <p>
              <Unknown why="The daemon does not have it." />: the daemon has no document of epoch{" "}
              {current.epoch - 1}.
            </p>
          )}
        </section>
      </div>
      <section class="card">
        <h2>Rates</h2>
        <dl class="rates">
          {Object.entries(current.rates).map(([name, rate]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                {perSecond(rate)} a second <small>{rateMeaning[name]}</small>
              </dd>
            </div>
          ))}
        </dl>
      </section>
      <Tree document={current} />
      {geometry !== null && <Geometry {...geometry} />}
      <Explain question="Why must everybody use the same document?">
        <p>
          If each user saw another list of nodes, an attacker could tell users apart by the paths of
          their packets. So a majority of authorities signs one document for each epoch, and daemons
          accept no other.
        </p>
      </Explain>
    </>
  );
}

const rateMeaning: Readonly<Record<string, string>> = {
  mu: "1/mu is the mean delay at each hop",
  lambdaP: "packets of a client",
  lambdaL: "loop decoys of a client",
  lambdaM: "loop decoys of a mix",
  lambdaG: "decoys of a gateway",
  lambdaR: "commands between couriers and replicas",
};

function Signatures({ document }: { readonly document: DocumentView }) {
  const { signatures, signatureCount } = document;
  if (signatures === null) {
    return (
      <p>
        It carries {signatureCount} signatures; whether they are valid is{" "}
        <Unknown why="The daemon does not name the authorities, or too few of them signed it." />.
      </p>
    );
  }
  return (
    <ul class="signatures">
      {signatures.map(({ authority, valid }) => (
        <li key={authority} class={valid ? "good" : "bad"}>
          {authority}: {valid ? "valid signature" : "no valid signature"}
        </li>
      ))}
    </ul>
  );
}

function Difference({
  current,
  before,
}: {
  readonly current: DocumentView;
  readonly before: DocumentView;
}) {
  const found = differences(current, before);
  if (found.length === 0) return <p>Nothing but the number of the epoch.</p>;
  return (
    <ul class="differences">
      {found.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  );
}

function Tree({ document }: { readonly document: DocumentView }) {
  const layers = new Set(document.nodes.map(({ layer }) => layer));
  const groups = [
    { name: "Gateways", nodes: document.nodes.filter(({ role }) => role === "gateway") },
    ...[...layers]
      .filter((layer) => layer > 0)
      .sort((a, b) => a - b)
      .map((layer) => ({
        name: `Mix layer ${layer}`,
        nodes: document.nodes.filter((node) => node.layer === layer),
      })),
    { name: "Service nodes", nodes: document.nodes.filter(({ role }) => role === "service") },
    { name: "Storage replicas", nodes: document.nodes.filter(({ role }) => role === "replica") },
  ];
  return (
    <section class="card tree">
      <h2>Nodes</h2>
      {groups.map(({ name, nodes }) => (
        <details key={name}>
          <summary>
            {name} <small>{nodes.length}</small>
          </summary>
          {nodes.map((node) => (
            <details key={node.name}>
              <summary>{node.name}</summary>
              <dl>
                <dt>identity</dt>
                <dd>
                  <code>{node.identity}…</code>
                </dd>
                <dt>link key</dt>
                <dd>
                  <code>{node.link}…</code>
                </dd>
                <dt>address</dt>
                <dd>{node.addresses.join(", ") || "none"}</dd>
                {node.services.length > 0 && (
                  <>
                    <dt>services</dt>
                    <dd>{node.services.join(", ")}</dd>
                  </>
                )}
                <dt>{node.role === "replica" ? "envelope keys" : "mix keys"}</dt>
                <dd>
                  {node.keys.map((key) => (
                    <div key={key}>
                      <code>{key}…</code>
                    </div>
                  ))}
                </dd>
              </dl>
            </details>
          ))}
        </details>
      ))}
    </section>
  );
}

/** Draws the packet and the box to scale. */
function Geometry({
  sphinx,
  pigeonhole,
}: {
  readonly sphinx: Readonly<Record<string, number>>;
  readonly pigeonhole: Readonly<Record<string, number>>;
}) {
  const packet = sphinx["PacketLength"] ?? 0;
  const header = sphinx["HeaderLength"] ?? 0;
  const payload = sphinx["UserForwardPayloadLength"] ?? 0;
  const box = pigeonhole["MaxPlaintextPayloadLength"] ?? 0;
  const rows = [
    { name: "a packet on the wire", bytes: packet, kind: "packet" },
    { name: "its header: the path, sealed hop by hop", bytes: header, kind: "header" },
    { name: "what a program may put into it", bytes: payload, kind: "payload" },
    { name: "what a box may hold", bytes: box, kind: "box" },
  ].filter(({ bytes }) => bytes > 0);
  return (
    <section class="card">
      <h2>Sizes, to scale</h2>
      <p class="note">
        All packets have one size, so their size says nothing about what is inside.
      </p>
      <ul class="scale">
        {rows.map(({ name, bytes, kind }) => (
          <li key={name}>
            <span>
              {name}: {bytes} bytes
            </span>
            <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
              <rect class={kind} width={(bytes / packet) * 100} height="4" />
            </svg>
          </li>
        ))}
      </ul>
    </section>
  );
}
