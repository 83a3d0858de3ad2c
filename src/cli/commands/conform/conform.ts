/** `katz conform`: checks a daemon against the protocol. */
import {
  type ConformanceArea,
  type ConformanceReport,
  type ConformanceResult,
  checkConformance,
} from "katzenpost-thinclient/testing";
import { type ClientFlags, firstThatAnswers } from "../../connect.js";
import { AlreadyReported, ExitCode, UsageError } from "../../failure.js";
import { daemonPlaces } from "../../find-daemon.js";
import { aborted } from "../../interrupt.js";
import type { Output } from "../../output.js";
import { type Run, runCommand } from "../../run.js";
import type { Style } from "../../terminal.js";
import { wrap } from "../../text.js";

/** Flags of the command. */
export interface ConformFlags extends ClientFlags {
  /** Which areas; all by default. */
  readonly area?: readonly ConformanceArea[];
}

const styles: Readonly<Record<ConformanceResult["verdict"], Style>> = {
  pass: "green",
  fail: "red",
  "differs (allowed)": "yellow",
};

/** Runs the conformance kit against the daemon at `address`; fails if a case fails. */
export function conform(flags: ConformFlags, address?: string): Promise<void> {
  return runCommand(flags, async (run) => {
    if (address !== undefined && flags.address !== undefined) {
      throw new UsageError("ADDRESS and --address both name the daemon; give only one of them");
    }
    const where = address === undefined ? flags : { ...flags, address };
    const { signal } = run;
    const places = await daemonPlaces(where, signal);
    const found = await firstThatAnswers(places, { signal, timeoutMs: flags.timeout });
    const { place } = found;
    run.output.heading(`${place.address}, case by case`);
    const transports = [found.transport];
    let isFirst = true;
    const dial: Parameters<typeof checkConformance>[0] = async (options) => {
      if (isFirst) {
        isFirst = false;
        return found.transport;
      }
      const transport = await place.dial.resolve().dial(options);
      transports.push(transport);
      return transport;
    };
    try {
      summarize(run.output, await check(run, dial, flags));
    } finally {
      for (const transport of transports) transport.destroy();
    }
  });
}

async function check(
  { output, signal }: Run,
  dial: Parameters<typeof checkConformance>[0],
  { area, timeout }: ConformFlags,
): Promise<ConformanceReport> {
  const checking = checkConformance(dial, {
    signal,
    ...(area === undefined || area.length === 0 ? {} : { areas: area }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout, networkTimeoutMs: timeout }),
    onResult: (result) => {
      // A case that was interrupted says nothing about the daemon.
      if (!signal.aborted) show(output, result);
    },
  });
  // A case may take minutes; Ctrl-C must not wait for it.
  const interrupted = aborted(signal).then((): never => {
    throw signal.reason;
  });
  return Promise.race([checking, interrupted]);
}

function show(output: Output, { area, name, verdict, reason }: ConformanceResult): void {
  output.record({ type: "case", area, name, verdict, reason });
  if (output.quiet && verdict !== "fail") return;
  const label = verdict === "differs (allowed)" ? "differs" : verdict;
  output.line(`${output.style(styles[verdict], label.padEnd(7))}  ${area}: ${name}`);
  if (reason !== "") for (const line of wrap(reason, 70)) output.line(`         ${line}`);
}

function summarize(output: Output, { passed, failed, differed }: ConformanceReport): void {
  output.record({ type: "summary", passed, failed, differed });
  output.line(`${passed} pass, ${failed} fail, ${differed} differ in allowed ways`);
  if (failed > 0) throw new AlreadyReported(ExitCode.NETWORK);
}
