/** Boxes page: the console's own stream, who holds its boxes, and what each party sees of them. */
import { Do, Explain, Unknown } from "../parts.js";
import { isEmbedded, state } from "../store.js";

const states = {
  writing: "being written",
  stored: "accepted by a courier",
  reading: "being read",
  read: "read back",
  deleted: "deleted",
  failed: "failed",
} as const;

/** The UTC date and time of day, to the minute. */
function day(at: number): string {
  return new Date(at).toISOString().slice(0, 16).replace("T", " ");
}

export function Boxes() {
  const { boxes, replicas } = state.value!;
  return (
    <>
      <div class="buttons">
        <Do action={{ do: "write" }}>Write a box</Do>
        <Do action={{ do: "read" }} disabled={boxes.length === 0}>
          Read a box
        </Do>
        <Do action={{ do: "delete" }} disabled={boxes.length === 0}>
          Delete a box
        </Do>
        <Do action={{ do: "newStream" }}>New stream</Do>
      </div>
      <section class="card">
        <h2>The console's stream</h2>
        {boxes.length === 0 ? (
          <p class="empty">No box yet. A stream is a row of boxes; each can be written once.</p>
        ) : (
          <div class="scroll" tabIndex={0} role="region" aria-label="The console's boxes">
            <table>
              <thead>
                <tr>
                  <th scope="col">Box</th>
                  <th scope="col">ID</th>
                  <th scope="col">State</th>
                  <th scope="col">Text</th>
                  <th scope="col">Held by</th>
                  <th scope="col">Since</th>
                  <th scope="col">Kept until at least</th>
                </tr>
              </thead>
              <tbody>
                {boxes.map(({ number, boxId, state: how, text, holders, storedAt, keptUntil }) => (
                  <tr key={boxId}>
                    <td class="number">{number}</td>
                    <td>
                      <code>{boxId}…</code>
                    </td>
                    <td>{states[how]}</td>
                    <td>{text}</td>
                    <td>
                      {holders === null ? (
                        <Unknown why="Replicas do not tell anybody what they hold." />
                      ) : (
                        holders.join(", ") || "no replica yet"
                      )}
                    </td>
                    <td>{storedAt === null ? "" : day(storedAt)}</td>
                    <td>{keptUntil === null ? "" : day(keptUntil)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <p class="note">
          A write is done when a courier has accepted the envelope. The courier passes it to the
          replicas, and repeats that until they have it. A replica keeps a box for the replica epoch
          (a week) in which it was stored, and for the next one. Then it deletes the box. Times are
          UTC, and count from when a courier accepted the box.
        </p>
      </section>
      <WhoSees />
      <section class="card">
        <h2>What the replicas hold</h2>
        {replicas === null ? (
          <p>
            <Unknown why="Replicas do not tell anybody what they hold." />: replicas do not tell
            anybody what they hold. In the embedded network you can look.
          </p>
        ) : (
          <div class="replicas">
            {replicas.map(({ name, boxes: count, bytes, kept, offline }) => (
              <div key={name} class="replica">
                <h3>
                  {name}
                  {offline ? " (stopped)" : ""}
                </h3>
                <p>
                  {count} boxes, {Math.round(bytes / 1000)} kB
                </p>
                <ul>
                  {kept.slice(-8).map(({ boxId, length }) => (
                    <li key={boxId}>
                      <code>{boxId}…</code>{" "}
                      <small>{length === 0 ? "deleted" : `${length} bytes`}</small>
                    </li>
                  ))}
                </ul>
              </div>
            ))}
          </div>
        )}
        <p class="note">
          This is all that a replica's operator sees: IDs that look unrelated and ciphertexts of one
          length. Nothing says which boxes belong to one stream.
        </p>
      </section>
      <Explain question="Why two replicas for each box?">
        <p>
          If one of them is down, the other still has the box. Which two it is follows from the ID
          of the box, so every client finds them without asking anybody.
        </p>
      </Explain>
    </>
  );
}

const parties = ["you", "your daemon", "gateway", "courier", "replica", "reader", "outsider"];

/** What each party sees, in the order of {@link parties}. */
const facts: readonly (readonly [fact: string, sees: readonly boolean[]])[] = [
  ["your network address", [true, true, true, false, false, false, true]],
  [
    "that you sent a packet of your own, not cover",
    [true, true, false, false, false, false, false],
  ],
  ["that some envelope arrived", [true, true, false, true, true, false, false]],
  ["which box it is about", [true, true, false, false, true, true, false]],
  ["whether it reads, writes or deletes", [true, true, false, false, true, false, false]],
  ["which boxes belong to one stream", [true, true, false, false, false, true, false]],
  ["what is in the box", [true, true, false, false, false, true, false]],
];

function WhoSees() {
  return (
    <section class="card">
      <h2>Who sees what of a box</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Who sees what of a box">
        <table class="sees">
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden">Fact</span>
              </th>
              {parties.map((party) => (
                <th key={party} scope="col">
                  {party}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {facts.map(([fact, sees]) => (
              <tr key={fact}>
                <th scope="row">{fact}</th>
                {sees.map((does, i) => (
                  <td key={parties[i]} class={does ? "yes" : "no"}>
                    {does ? "sees" : "–"}
                    {!does && <span class="hidden">does not see</span>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note">
        A reader is somebody to whom you gave the read capability. An outsider watches your network
        connection.{" "}
        {isEmbedded.value
          ? "The embedded network runs in one process, so here you see everything."
          : ""}
      </p>
    </section>
  );
}
