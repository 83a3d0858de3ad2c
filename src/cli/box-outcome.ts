/** Errors about a box that say which box it was and what to do. */
import {
  BoxAlreadyExistsError,
  BoxIDNotFoundError,
  RequestTimeoutError,
  TombstoneError,
  hasCode,
} from "katzenpost-thinclient";

/** The box already holds something else. */
export class TakenBoxError extends BoxAlreadyExistsError {
  override name = "TakenBoxError";
  /** What to do about it, one line each. */
  readonly advice: readonly string[];

  /** @param box names the box. @param way what to do if the user wrote it. */
  constructor(box: string, way: string, cause: unknown) {
    super(`${box} holds something else`, { cause });
    this.advice = [`If you wrote it, ${way}`];
  }
}

/** Turns an error of reading a box into one that names the box, if it is an expected outcome. */
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
