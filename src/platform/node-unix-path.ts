/** Names of Unix sockets in the system's form. */
import { ConfigError } from "../errors/errors.js";

/**
 * Bytes that `sun_path` holds, without the final NUL (unix(7); 104 in all on the BSDs and macOS).
 */
const LONGEST_PATH = process.platform === "linux" ? 107 : 103;

/** The path in the form that Node and the system want: in `@name`, a NUL replaces the `@`. */
export function systemUnixPath(address: string): string {
  if (isAbstract(address)) return `\0${address.slice(1)}`;
  // Node's `listen` treats a path that reads as a number, such as `7` or `.28e44`, as a port.
  return Number(address) >= 0 ? `./${address}` : address;
}

/**
 * Whether this Node pads the names of Linux abstract sockets with NULs to the 108 bytes of
 * `sun_path`, as libuv did before 1.48 (its pull request 4266). Node 20 does, up to its last
 * version; Node 22 and newer do not. With padding, `unix:@NAME` only reaches programs that also
 * pad: no program in another language, and no newer Node.
 */
export const padsAbstractNames: boolean = olderThan(process.versions["uv"] ?? "", 1, 48);

function olderThan(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split(".").map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

/** Whether it names a Linux abstract socket. */
export function isAbstract(address: string): boolean {
  return address.startsWith("@");
}

/**
 * Checks that the name fits, because the system might silently truncate it.
 * @throws ConfigError when it is too long, or abstract and this is not Linux.
 */
export function checkUnixLength(address: string): void {
  if (isAbstract(address) && process.platform !== "linux") {
    throw new ConfigError(
      `unix:${address} is an abstract socket, which only Linux has; use a path`,
    );
  }
  const length = Buffer.byteLength(address);
  if (process.platform !== "win32" && length > LONGEST_PATH) {
    throw new ConfigError(
      `unix:${address} is too long: ${length} bytes, but the system allows ${LONGEST_PATH}; ` +
        "use a shorter path",
    );
  }
}
