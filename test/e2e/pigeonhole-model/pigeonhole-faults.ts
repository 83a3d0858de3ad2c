/**
 * The faults in a schedule: how each is caused, which results it excuses, and how all of them end.
 */
import {
  type CourierQueryReply,
  decodeCourierQuery,
  encodeCourierQueryReply,
  envelopeHashOf,
} from "../../../src/crypto/envelope/courier-messages.js";
import type { Courier } from "../../../src/network/courier/courier.js";
import type { Replica } from "../../../src/network/replica/replica.js";
import { CLIENTS, MOST_EPOCHS, MOST_OFFLINE, type Step } from "./pigeonhole-schedule.js";
import type { ModelWorld } from "./pigeonhole-world.js";

/**
 * Steps other than calls, and the world's own two: all faults end, and all nodes are listed again.
 */
export type FaultStep =
  | Exclude<Step, { client: number }>
  | Extract<Step, { kind: "replaceClient" }>
  | { kind: "heal" }
  | { kind: "relist" };

type Steps = { [K in FaultStep["kind"]]: Extract<FaultStep, { kind: K }> };
type Taken = boolean | Promise<boolean>;

function replicaOf(world: ModelWorld, number: number): Replica {
  const { replicas } = world.daemon.storage;
  return replicas[number % replicas.length]!;
}

function courierOf(world: ModelWorld, number: number): Courier {
  const { couriers } = world.daemon.storage;
  return couriers[number % couriers.length]!;
}

/** Makes a courier treat its next queries in another way. */
function intercept(
  courier: Courier,
  queries: number,
  answer: (payload: Uint8Array) => Uint8Array | null,
): void {
  let left = queries;
  Reflect.deleteProperty(courier, "handle");
  const own = courier.handle.bind(courier);
  courier.handle = async (request) => {
    if (left-- > 0) return answer(request.payload);
    Reflect.deleteProperty(courier, "handle");
    return own(request);
  };
}

function refusal(payload: Uint8Array, errorCode: number): Uint8Array | null {
  const query = decodeCourierQuery(payload);
  // Copy commands do not have such codes.
  if (query.kind !== "envelope") return null;
  const reply: CourierQueryReply = {
    kind: "envelope",
    reply: {
      envelopeHash: envelopeHashOf(query.envelope),
      replyIndex: 0,
      replyType: "ack",
      payload: new Uint8Array(0),
      errorCode,
    },
  };
  return encodeCourierQueryReply(reply);
}

async function skipEpoch(world: ModelWorld): Promise<boolean> {
  await world.clock.runUntil(world.daemon.network.advanceEpoch());
  world.epochChanges();
  return true;
}

async function restart(world: ModelWorld, newInstance: boolean): Promise<boolean> {
  await world.clock.runUntil(world.daemon.restart({ newInstance }));
  world.excuses.daemonRestarted = true;
  return true;
}

/** How each fault is caused; returns false if the fault is impossible now or changes nothing. */
const faults: { readonly [K in keyof Steps]?: (world: ModelWorld, step: Steps[K]) => Taken } = {
  skipEpoch: (world) => world.epochsSkipped++ < MOST_EPOCHS && skipEpoch(world),
  withholdDocuments: (world, { withheld }) => {
    world.daemon.network.faults.withholdDocuments(withheld);
    return withheld;
  },
  mixnet: (world, { online }) => {
    const changed = world.daemon.network.faults.online !== online;
    world.daemon.network.faults.setOnline(online);
    world.excuses.mixnetWentAway ||= !online;
    return changed;
  },
  packetLoss: (world, { probability }) => {
    world.daemon.network.faults.setLoss(probability);
    return probability > 0;
  },
  dropPackets: (world, { count, direction }) => {
    world.daemon.network.faults.dropNext(count, direction);
    return true;
  },
  packetDelay: (world, { ms }) => {
    world.daemon.network.faults.setExtraDelay(ms);
    return ms > 0;
  },
  replicaOffline: (world, { replica, offline }) => {
    const { replicas } = world.daemon.storage;
    const most = Math.min(MOST_OFFLINE, replicas.length - 2);
    if (offline && replicas.filter((one) => one.faults.offline).length >= most) return false;
    replicaOf(world, replica).faults.offline = offline;
    world.excuses.storageTrouble ||= offline;
    return offline;
  },
  replicaCode: (world, { replica, code }) => {
    replicaOf(world, replica).faults.fail(code);
    if (code !== null) world.excuses.replicaCodes.add(code);
    return code !== null;
  },
  replicaNextCodes: (world, { replica, code, times }) => {
    replicaOf(world, replica).faults.failNext(code, times);
    world.excuses.replicaCodes.add(code);
    return true;
  },
  replicaLoss: (world, { replica, loss }) => {
    replicaOf(world, replica).faults.loss = loss;
    world.excuses.storageTrouble ||= loss > 0;
    return loss > 0;
  },
  replicaSlow: (world, { replica, ms }) => {
    replicaOf(world, replica).faults.slowMs = ms;
    world.excuses.storageTrouble ||= ms > 0;
    return ms > 0;
  },
  replicaFull: (world, { replica, full }) => {
    replicaOf(world, replica).faults.storageLimitBytes = full ? 0 : Number.POSITIVE_INFINITY;
    world.excuses.storageTrouble ||= full;
    return full;
  },
  courierSilence: (world, { courier, queries }) => {
    intercept(courierOf(world, courier), queries, () => null);
    return true;
  },
  courierCode: (world, { courier, code, queries }) => {
    intercept(courierOf(world, courier), queries, (payload) => refusal(payload, code));
    world.excuses.courierCodes.add(code);
    return true;
  },
  dropConnections: (world) => {
    if (!world.daemon.isRunning) return false;
    world.daemon.daemon.dropConnections();
    return true;
  },
  forgetSessions: (world) => {
    if (!world.daemon.isRunning) return false;
    world.daemon.daemon.forgetSessions();
    return true;
  },
  crash: async (world) => {
    if (!world.daemon.isRunning) return false;
    await world.clock.runUntil(world.daemon.crash());
    return true;
  },
  restart: (world, { newInstance }) => restart(world, newInstance),
  replaceClient: async (world, { client, goodbye }) => {
    if (!world.daemon.isRunning) return false;
    const place = client % CLIENTS;
    const old = world.clients[place]!;
    const check = world.closing(old);
    await world.clock.runUntil(goodbye ? old.stop() : old.disconnect());
    check();
    world.clients[place] = await world.connect(old.sessionToken);
    return true;
  },
  heal: async (world) => {
    const { network, storage } = world.daemon;
    for (const replica of storage.replicas) replica.faults.clear();
    for (const courier of storage.couriers) Reflect.deleteProperty(courier, "handle");
    network.faults.setLoss(0);
    network.faults.dropNext(0, "forward");
    network.faults.dropNext(0, "reply");
    network.faults.setExtraDelay(0);
    network.faults.withholdDocuments(false);
    network.faults.setOnline(true);
    if (!world.daemon.isRunning) await restart(world, true);
    return false;
  },
  // Replicas that were away when the documents were made are listed only in later ones; the next
  // epoch's document may already exist.
  relist: async (world) => {
    if (!world.excuses.poorDocuments) return false;
    await skipEpoch(world);
    await skipEpoch(world);
    await world.clock.advance(1000);
    return true;
  },
};

/** Causes a fault. */
export async function takeFault(world: ModelWorld, step: FaultStep): Promise<void> {
  const take = faults[step.kind] as ((world: ModelWorld, step: FaultStep) => Taken) | undefined;
  if (take === undefined) throw new RangeError(`unknown step ${step.kind}`);
  if (!(await take(world, step))) return;
  world.count(step.kind);
  world.note(JSON.stringify(step));
}
