/** Faults page: each button causes a fault and shows the line of test code that does the same. */
import { signal } from "@preact/signals";
import { Do, Explain, duration } from "../parts.js";
import { log, state } from "../store.js";

const code = signal(5);

/** Error codes that a replica can answer with, and their meaning. */
const codes: Readonly<Record<number, string>> = {
  1: "no such box",
  4: "database failure",
  5: "invalid payload",
  6: "storage full",
  7: "internal error",
  10: "box exists",
};

export function Faults() {
  const { faults, replicas, about } = state.value!;
  if (faults === null) {
    return (
      <p class="empty">
        Faults are for the embedded network. This console shows another daemon, and nobody can break
        a real network from here. Run <code>katz console</code> without --address, --config and
        --join.
      </p>
    );
  }
  return (
    <>
      <p>
        Each button does what the line beside it does in a test. It affects your program too: watch
        what it does.
      </p>
      {about.virtual && <Clock />}
      <section class="card">
        <h2>The network</h2>
        <div class="grid">
          <Do showCode pressed={!faults.online} action={{ do: "online", value: !faults.online }}>
            {faults.online ? "Cut it off" : "Join it again"}
          </Do>
          <Do
            showCode
            pressed={faults.loss > 0}
            action={{ do: "loss", value: faults.loss > 0 ? 0 : 0.3 }}
          >
            {faults.loss > 0 ? "Lose nothing" : "Lose 30 % of packets"}
          </Do>
          <Do
            showCode
            pressed={faults.extraDelayMs > 0}
            action={{ do: "delay", value: faults.extraDelayMs > 0 ? 0 : 2000 }}
          >
            {faults.extraDelayMs > 0 ? "No extra delay" : "2 s more each way"}
          </Do>
          <Do showCode action={{ do: "dropNext", way: "forward" }}>
            Lose the next packet
          </Do>
          <Do showCode action={{ do: "dropNext", way: "reply" }}>
            Lose the next reply
          </Do>
          <Do
            showCode
            pressed={faults.withheld}
            action={{ do: "withhold", value: !faults.withheld }}
          >
            {faults.withheld ? "Hand out documents" : "Hold new documents back"}
          </Do>
          <Do showCode action={{ do: "epoch" }}>
            Start the next epoch
          </Do>
        </div>
        <p class="note">Cover traffic counts as packets, too: the next one may be a decoy.</p>
      </section>
      <section class="card">
        <h2>The daemon</h2>
        <div class="grid">
          <Do showCode action={{ do: "crash" }} disabled={!faults.daemonRuns}>
            Kill it
          </Do>
          <Do showCode action={{ do: "restart" }}>
            {faults.daemonRuns ? "Restart it" : "Start it again"}
          </Do>
        </div>
        <p class="note">
          {faults.daemonRuns ? "It runs." : "It does not run: clients dial until it is back."}
        </p>
      </section>
      <section class="card">
        <h2>Storage replicas</h2>
        <label class="filter">
          Code that “Fail once” answers with{" "}
          <select
            value={code.value}
            onChange={({ currentTarget }) => (code.value = Number(currentTarget.value))}
          >
            {Object.entries(codes).map(([value, meaning]) => (
              <option key={value} value={value}>
                {value}: {meaning}
              </option>
            ))}
          </select>
        </label>
        {(replicas ?? []).map(({ name, offline, slowMs }) => (
          <fieldset key={name}>
            <legend>{name}</legend>
            <div class="grid">
              <Do
                showCode
                pressed={offline}
                action={{ do: "replicaOffline", replica: name, value: !offline }}
              >
                {offline ? "Start" : "Stop"}
              </Do>
              <Do showCode action={{ do: "replicaFail", replica: name, code: code.value }}>
                Fail once
              </Do>
              <Do
                showCode
                pressed={slowMs > 0}
                action={{ do: "replicaSlow", replica: name, value: slowMs > 0 ? 0 : 3000 }}
              >
                {slowMs > 0 ? "Normal speed" : "3 s slower"}
              </Do>
            </div>
          </fieldset>
        ))}
      </section>
      <div class="buttons">
        <Do action={{ do: "clearFaults" }}>End all faults</Do>
      </div>
      <Done />
      <Explain question="What does a program have to survive?">
        <p>
          A real network loses packets and replies, daemons restart, replicas go down for hours and
          documents come late. The client repeats what it can: a read or a write goes on after a
          lost reply and after a restart. Your program sees only that it takes longer, or an error
          that says what to do.
        </p>
      </Explain>
    </>
  );
}

function Clock() {
  const { clock } = state.value!;
  return (
    <section class="card">
      <h2>Time</h2>
      <p>
        <strong>{new Date(clock.now).toISOString().slice(11, 23)}</strong>{" "}
        {clock.running ? "runs" : "stands still"}. This is a virtual clock: nothing happens unless
        you move it.
      </p>
      <div class="grid">
        <Do showCode action={{ do: "clock", how: clock.running ? "pause" : "run", ms: 50 }}>
          {clock.running ? "Pause" : "Run"}
        </Do>
        {[100, 1000, 60_000].map((ms) => (
          <Do key={ms} showCode action={{ do: "clock", how: "step", ms }}>
            Step {duration(ms)}
          </Do>
        ))}
        <Do showCode action={{ do: "clock", how: "idle", ms: 0 }}>
          Run until nothing waits
        </Do>
      </div>
    </section>
  );
}

/** Shows everything the user has pressed so far as the body of a test. */
function Done() {
  const lines = log.value.flatMap((event) =>
    event.event === "did" && event.code !== null ? [event.code] : [],
  );
  if (lines.length === 0) return null;
  return (
    <section class="card">
      <h2>What you did, as a test</h2>
      <pre tabIndex={0}>
        <code>{lines.slice(-20).join("\n")}</code>
      </pre>
    </section>
  );
}
