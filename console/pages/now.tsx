/** Now page: six facts in words, and what to try next. */
import { Do, Explain, Fact, Known, Unknown, counted, duration, perSecond } from "../parts.js";
import { isTraced, now, second, state, ticks, timeline, timelineVersion } from "../store.js";

const MINUTE_MS = 60_000;

export function Now() {
  return (
    <>
      <div class="facts">
        <Connected />
        <Epoch />
        <Rate />
        <Waits />
        <LastError />
        <Next />
      </div>
      <Try />
      <Explain question="What is a mixnet, in six sentences?">
        <p>
          A mixnet hides who talks to whom. Your daemon wraps each message in layers of encryption,
          one for each node on its way. Each node takes one layer off, holds the packet for a random
          time and passes it on, so nobody can match what goes in with what comes out. All packets
          have the same size, and your daemon sends one on each tick of a random clock, whether you
          have something to say or not. To leave a message for somebody, you write it into a box:
          storage replicas keep it, and whoever has the capability can read it. The replicas do not
          learn who wrote it or who reads it.
        </p>
      </Explain>
    </>
  );
}

/** Says how long packets rest at nodes on average, as the document sets it. */
function meanDelay(): string {
  const { about, rates } = state.value!;
  if (about.mixing === "instant") return "Packets do not rest at nodes: mixing is instant.";
  const mu = rates?.["mu"] ?? 0;
  return mu > 0
    ? `According to the document, a packet rests ${duration(1 / mu)} at each node on average.`
    : "";
}

function Connected() {
  const { about, link } = state.value!;
  const what = {
    embedded: "an embedded network in this process",
    joined: "a real network, through our own daemon",
    daemon: "a daemon of another process",
  }[about.mode];
  const words =
    link.toDaemon !== "ready"
      ? `The daemon cannot be reached (${link.toDaemon}).`
      : link.toNetwork
        ? "Connected."
        : "The daemon is there; it has no connection to the network.";
  return (
    <Fact
      name="Connected to"
      more={
        about.mode === "embedded"
          ? "It gives no anonymity: it is for development. That is why you can look inside."
          : "What the servers do inside cannot be seen from here. That is the point of a mixnet."
      }
    >
      <strong class={link.toNetwork ? "good" : "bad"}>{words}</strong>
      <p>
        To {what}, at {about.addresses.join(", ") || "no address"}. Gateway:{" "}
        <Known value={link.gateway} />. {meanDelay()}
      </p>
      {link.problem !== null && <p class="bad">{link.problem}</p>}
    </Fact>
  );
}

function Epoch() {
  const { epoch } = state.value!;
  // Reading the signal redraws the countdown as time passes.
  void second.value;
  return (
    <Fact
      name="Epoch"
      more="Each epoch has its own document and its own keys. Nodes forget old keys, so that packets recorded today cannot be opened tomorrow."
    >
      {epoch === null ? (
        <Unknown why="There is no document yet." />
      ) : (
        <>
          <strong>{epoch.current}</strong>
          <p>
            {epoch.endsAt === null ? (
              <>
                Time left: <Unknown why="Nothing on the wire says how long an epoch is." />
              </>
            ) : (
              `${duration(Math.max(0, epoch.endsAt - now()))} left of ${duration(epoch.periodMs!)}`
            )}
          </p>
        </>
      )}
    </Fact>
  );
}

function Rate() {
  const { rates, about } = state.value!;
  const recent = ticks.value.filter(({ at }) => at > now() - MINUTE_MS);
  void second.value;
  const used = recent.filter((tick) => tick.used).length;
  return (
    <Fact
      name="How fast you may send"
      more="The document sets the rate. On a tick without a packet of yours, cover traffic leaves instead, and nobody outside can tell the two apart."
    >
      {rates === null ? (
        <Unknown why="There is no document yet." />
      ) : about.mixing === "instant" ? (
        <>
          <strong>no limit</strong>
          <p>With instant mixing packets leave at once, without cover traffic.</p>
        </>
      ) : (
        <>
          <strong>
            {perSecond(rates["lambdaP"] ?? 0)}{" "}
            {perSecond(rates["lambdaP"] ?? 0) === "1" ? "packet" : "packets"} a second
          </strong>
          <p>
            In the last minute{" "}
            {isTraced.value ? (
              `${used} of ${recent.length} ticks carried a packet of a program`
            ) : (
              <Unknown why="A daemon does not tell its clients about its ticks." />
            )}
            .
          </p>
        </>
      )}
    </Fact>
  );
}

function Waits() {
  const { load, client } = state.value!;
  return (
    <Fact
      name="What waits"
      more="A packet waits for its tick: with one packet a second, ten calls at once take ten seconds to leave."
    >
      {load === null ? (
        <>
          <strong>{counted(client.inFlight + client.queued, "call")} of this console</strong>
          <p>
            Packets in the daemon: <Unknown why="A daemon does not tell its clients." />.
          </p>
        </>
      ) : (
        <>
          <strong>
            {load.waitingPackets === 0
              ? "no packet"
              : `${counted(load.waitingPackets, "packet")}, the last for about ${duration(load.waitingMs)}`}
          </strong>
          <p>
            {counted(load.operations, "call")} in progress in the network;{" "}
            {load.applications === 1
              ? "no program is connected but this console."
              : `${counted(load.applications, "program")} connected, this console among them.`}
          </p>
        </>
      )}
    </Fact>
  );
}

function LastError() {
  const { error } = state.value!;
  return (
    <Fact
      name="Last error"
      more="An answer like “no such box” is often what you expect, not a fault."
    >
      {error === null ? (
        <strong class="good">none</strong>
      ) : (
        <>
          <strong>{error.code}</strong>
          <p>{error.meaning}</p>
          <p>
            <em>What to do:</em> {error.action}
          </p>
        </>
      )}
    </Fact>
  );
}

function Next() {
  void timelineVersion.value;
  return (
    <Fact name="Next thing to try" more="Keys 1 to 6 go from page to page; L opens the log.">
      <strong>{nextThing()}</strong>
    </Fact>
  );
}

function nextThing(): string {
  const { about, link, faults, boxes } = state.value!;
  if (faults?.daemonRuns === false) {
    return "Start the daemon again on page 6, and see its programs connect again.";
  }
  if (faults?.online === false) {
    return "Join the network again on page 6, and watch the queue go down.";
  }
  if (link.toDaemon !== "ready" || link.toNetwork === false) {
    return faults === null
      ? "Start the daemon, or wait until it is connected."
      : "Wait until the daemon is connected.";
  }
  if (timeline.rows.length === 0) {
    return "Press “Send an echo” below, then press 3 and watch your packet move.";
  }
  if (boxes.length === 0) {
    return `Press “Write a box”, then look at page 4: ${about.mode === "embedded" ? "which replicas hold it" : "who sees what of it"}?`;
  }
  if (!timeline.rows.some(({ title }) => title === "read")) {
    return "Press “Read a box” and compare the steps of both calls on page 2.";
  }
  return about.mode === "embedded"
    ? "Go to page 6 and lose the next reply: how does the daemon find out?"
    : "Go to page 5 and look at who signed the document.";
}

function Try() {
  const { about, boxes } = state.value!;
  const address = about.addresses.find((one) => one.startsWith("tcp:")) ?? about.addresses[0];
  const connect = `const client = await ThinClient.connect("${address ?? ""}");`;
  return (
    <section class="card">
      <h2>Try it</h2>
      <p>
        These calls are real ones of this console's own client
        {about.mode === "embedded" ? "" : ", and their packets go to the real network"}.
      </p>
      <div class="buttons">
        <Do action={{ do: "echo" }}>Send an echo</Do>
        <Do action={{ do: "write" }}>Write a box</Do>
        <Do action={{ do: "read" }} disabled={boxes.length === 0}>
          Read a box
        </Do>
        <Do action={{ do: "readMissing" }}>Read an empty box</Do>
        <Do action={{ do: "delete" }} disabled={boxes.length === 0}>
          Delete a box
        </Do>
      </div>
      {about.mode !== "daemon" && address !== undefined && (
        <p>
          Your own program connects with <code>{connect}</code>
        </p>
      )}
    </section>
  );
}
