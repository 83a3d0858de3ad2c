/** When commands between couriers and replicas leave (spec/pigeonhole §5.1). */
import type { RandomSource } from "../bytes/bytes.js";
import type { Timing } from "../mixnet/timing.js";
import { exponential, uniform } from "../mixnet/sampling.js";

/** The delays on storage links; null means "at once", without a timer. */
export interface StoragePace {
  /** How long the connecting side waits before its next command, in ms. */
  sendDelayMs(): number | null;
  /** How long the accepting side waits before it answers, in ms. */
  answerDelayMs(): number | null;
}

/** No delays. */
export const instantPace: StoragePace = {
  sendDelayMs: () => null,
  answerDelayMs: () => null,
};

/**
 * The delays of deployed networks. Sends are a Poisson process with a mean of ⌈1/LambdaR⌉ ms; the
 * delay of an answer is uniform up to that mean. No decoys are sent: nobody can watch a link inside
 * a process, and an idle network should cost nothing. Because a Poisson process has no memory,
 * drawing a wait only when there is something to send does not change the delays.
 * @param lambdaR returns LambdaR (per ms) of the current document; null if there is none.
 * @param timing its `linkMeanMs` is the mean until a document is known.
 */
export function poissonPace(
  lambdaR: () => number | null,
  random: RandomSource,
  timing: Pick<Timing, "linkMeanMs">,
): StoragePace {
  const meanMs = (): number => {
    const rate = lambdaR();
    return rate !== null && rate > 0 ? Math.ceil(1 / rate) : timing.linkMeanMs;
  };
  return {
    sendDelayMs: () => exponential(random, 1 / meanMs()),
    answerDelayMs: () => uniform(random) * meanMs(),
  };
}
