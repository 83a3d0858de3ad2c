/**
 * The faults in a schedule: how each one is caused, which outcomes it excuses, and how all faults
 * end.
 */
import type { App } from "./client-faults-app.js";
import { COPIES, READS, WRITES } from "./client-faults-network.js";
import { APPS, type Step } from "./client-faults-schedule.js";
import type { FaultWorld } from "./client-faults-world.js";

/** Steps other than calls; and the world's own step: all faults end. */
export type FaultStep =
  | Exclude<Step, { kind: "call" | "cancel" | "abort" }>
  | { readonly kind: "heal" };

type Steps = { [K in FaultStep["kind"]]: Extract<FaultStep, { kind: K }> };
type Taken = boolean | Promise<boolean>;

const gates = [
  ...Array.from({ length: WRITES }, (_, i) => `write ${i}`),
  ...Array.from({ length: READS }, (_, i) => `read ${i}`),
  ...Array.from({ length: COPIES }, (_, i) => `copy ${i}`),
];

function appOf(world: FaultWorld, number: number): App {
  return world.apps[number % world.apps.length]!;
}

/** The daemon loses everything that belongs to sessions; clients notice when they reconnect. */
function forgetEverything(world: FaultWorld): void {
  world.excuse("forgotten");
  world.excuse("away");
}

async function crash(world: FaultWorld): Promise<void> {
  const { daemon } = world;
  world.daemon = null;
  if (daemon) await world.clock.runUntil(daemon.crash());
  forgetEverything(world);
}

async function restart(world: FaultWorld, newInstance: boolean): Promise<void> {
  const { daemon } = world;
  world.daemon = null;
  if (daemon) await world.clock.runUntil(daemon.close());
  forgetEverything(world);
  world.startDaemon(newInstance);
}

/**
 * Removes the twin. Its good-bye also ends the session of the first client, because they share it.
 */
async function removeTwin(world: FaultWorld, goodbye: boolean): Promise<void> {
  if (world.apps.length === APPS) return;
  const [twin] = world.apps.splice(APPS);
  await world.close(twin!, goodbye);
  world.excuse("twin", 0);
  // The first client shares what the twin started, and now no client waits for it.
  world.replaced = true;
}

/** Causes each fault; returns false if the fault is impossible now or changes nothing. */
const faults: { readonly [K in keyof Steps]: (world: FaultWorld, step: Steps[K]) => Taken } = {
  advance: async (world, { ms }) => {
    // Two clients of one session disconnect each other again and again. A long time would only cost
    // computing time and show nothing new.
    await world.clock.advance(world.apps.length > APPS ? Math.min(ms, 4000) : ms);
    return true;
  },
  open: (world, { gate }) => {
    const name = gates[gate % gates.length]!;
    if (world.network.open.has(name)) return false;
    world.network.open.add(name);
    return true;
  },
  loseConnections: (world) => {
    if (!world.daemon) return false;
    world.excuse("away");
    world.daemon.dropConnections();
    return true;
  },
  cutInFrame: (world, { app, direction }) => {
    const { client, line, number } = appOf(world, app);
    if (!client.isState("ready") || !line!.isSound) return false;
    world.excuse("away", number);
    line!.cutNext(direction);
    return true;
  },
  crash: async (world) => {
    if (!world.daemon) return false;
    await crash(world);
    return true;
  },
  restart: async (world, { newInstance }) => {
    await restart(world, newInstance);
    return true;
  },
  forgetSessions: (world) => {
    if (!world.daemon) return false;
    const away = world.apps.filter(({ isServed }) => !isServed);
    if (away.length === 0) return false;
    for (const { number } of away) world.excuse("perhaps forgotten", number);
    world.daemon.forgetSessions();
    return true;
  },
  epoch: (world) => {
    world.network.nextEpoch();
    return true;
  },
  mixnet: (world, { online }) => {
    if (world.network.online === online) return false;
    world.excuse("offline");
    world.network.setOnline(online);
    return !online;
  },
  sending: async (world, { fails }) => {
    if (world.network.failing === fails) return false;
    // A message that was handed over before the change must leave before it.
    await world.settle();
    world.excuse("sending fails");
    world.network.setFailing(fails);
    return fails;
  },
  dropReplies: (world, { count }) => {
    world.excuse("reply dropped");
    world.network.toDrop = count;
    return true;
  },
  slowTransport: (world, { app, slow }) => {
    const { client, line, number } = appOf(world, app);
    if (!client.isState("ready")) return false;
    world.excuse("unheard", number);
    line!.stall(slow);
    return slow;
  },
  hang: (world, { app }) => {
    const { client, line, number } = appOf(world, app);
    if (!client.isState("ready")) return false;
    world.excuse("unheard", number);
    line!.hang();
    return true;
  },
  refuseDials: (world, { app, count }) => {
    appOf(world, app).refusals = count;
    return true;
  },
  silentDial: (world, { app }) => {
    appOf(world, app).silence = true;
    return true;
  },
  cutHandshake: (world, { app }) => {
    appOf(world, app).cutHandshake = true;
    return true;
  },
  slowReader: (world, { app, maxQueue }) => {
    appOf(world, app).readSlowly(maxQueue);
    return true;
  },
  twinComes: async (world) => {
    if (!world.daemon || world.apps.length > APPS) return false;
    world.excuse("twin", 0);
    world.apps.push(await world.connect(APPS, world.apps[0]!.client.sessionToken));
    return true;
  },
  twinGoes: async (world, { goodbye }) => {
    if (world.apps.length === APPS) return false;
    await removeTwin(world, goodbye);
    return true;
  },
  replaceClient: async (world, { app, goodbye }) => {
    if (!world.daemon) return false;
    const place = app % world.apps.length;
    const old = world.apps[place]!;
    if (old.number !== 1 && world.apps.length > APPS) world.excuse("twin");
    await world.close(old, goodbye);
    world.replaced = true;
    world.apps[place] = await world.connect(old.number, old.client.sessionToken);
    return true;
  },
  clockJump: (world, { wallMs, sleptMs }) => {
    world.machine.jump(wallMs, sleptMs);
    return true;
  },
  heal: async (world) => {
    const { network } = world;
    await removeTwin(world, true);
    for (const gate of gates) network.open.add(gate);
    network.setOnline(true);
    network.setFailing(false);
    network.toDrop = 0;
    for (const app of world.apps) {
      app.refusals = 0;
      app.silence = false;
      app.cutHandshake = false;
      // A connection that hangs keeps hanging: the client must notice it by itself.
      app.line!.stall(false);
      app.line!.cutNext("up", Number.POSITIVE_INFINITY);
    }
    if (!world.daemon) await restart(world, true);
    return false;
  },
};

/** Causes a fault. */
export async function takeFault(world: FaultWorld, step: FaultStep): Promise<void> {
  const take = faults[step.kind] as (world: FaultWorld, step: FaultStep) => Taken;
  if (!(await take(world, step))) return;
  world.count(step.kind);
  world.note(JSON.stringify(step));
}
