/** Outcomes that are told of a box: which box it was, and what to do. */
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  RequestTimeoutError,
  TombstoneError,
  hasCode,
} from "katzenpost-thinclient";

/** A box holds something else than what was to be written. */
export class TakenBoxError extends BoxAlreadyExistsError {
  /** What to do about it, a line each. */
  readonly advice: readonly string[];

  /** @param box which one. @param way how to go past it. */
  constructor(box: string, way: string, cause: unknown) {
    super(`${box} holds something else`, { cause });
    this.advice = [`If it was you, go past it with ${way}`];
  }
}

/** What became of reading a box, named by its box where that is an outcome that readers expect. */
export function readOutcome(error: unknown, box: string): unknown {
  const details = { cause: error };
  if (hasCode(error, "REPLICA_ERROR_BOX_ID_NOT_FOUND")) {
    return new BoxIDNotFoundError(`${box} holds nothing yet`, details);
  }
  if (hasCode(error, "REPLICA_ERROR_TOMBSTONE")) {
    return new TombstoneError(`${box} was deleted by its writer`, details);
  }
  if (hasCode(error, "ERR_TIMEOUT")) {
    return new RequestTimeoutError(`${box}: ${error.message}`, details);
  }
  return error;
}
