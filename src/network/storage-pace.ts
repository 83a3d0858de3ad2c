/** When commands between couriers and replicas leave. spec/pigeonhole §5.1. */
import type { RandomSource } from "../bytes/bytes.js";
import type { Timing } from "../mixnet/timing.js";
import { exponential, uniform } from "../mixnet/sampling.js";

/** The delays on storage links; null is "at once", without a timer. */
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
 * The delays of deployed networks: sends are a Poisson process of mean ⌈1/LambdaR⌉ ms, answers
 * take up to as long, all times equally likely. No decoys are sent between them: nobody can watch
 * a link inside a process, and an idle network should cost nothing. Since the waits of a Poisson
 * process have no memory, drawing one only when there is something to send changes no delay.
 * @param lambdaR gives LambdaR (per ms) of the current document; null when there is none.
 * @param timing its `linkMeanMs` is the mean while no document tells it.
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
