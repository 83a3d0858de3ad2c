/**
 * The oldest Node that this package runs on. It imports nothing, because older Nodes must be able
 * to read it.
 */

/** Major and minor version, as in `engines` of package.json. */
const OLDEST_NODE = "20.19";

/** The message for a user of `version`; null if it is new enough. */
export function nodeTooOld(version: string): string | null {
  const [wantedMajor = 0, wantedMinor = 0] = OLDEST_NODE.split(".").map(Number);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return null;
  return `katzenpost-thinclient needs Node ${OLDEST_NODE} or newer, this is ${version}`;
}
