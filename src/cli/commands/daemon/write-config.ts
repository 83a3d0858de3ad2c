/** Writing a configuration file that leads to a daemon, without harm to one that is there. */
import { readFile, realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { DialConfig } from "katzenpost-thinclient";
import { stringify } from "smol-toml";
import { UsageError } from "../../failure.js";
import { fileProblem, replaceFile } from "../../private-file.js";

const MARK = "# Written by katz daemon: leads to an embedded network, which gives no anonymity.";

/** The text of a `thinclient.toml` for `dial`. A token of a WebSocket is in it. */
function configText(dial: DialConfig): string {
  const place = dial.resolve();
  const { address: Address } = place;
  if (place.network === "unix") {
    // The file may be read from another folder.
    const path = Address.startsWith("@") ? Address : resolve(Address);
    return `${MARK}\n${stringify({ Dial: { Unix: { Address: path } } })}\n`;
  }
  if (place.network === "ws") {
    const { token } = place;
    const Ws = token === undefined ? { Address } : { Address, Token: token };
    return `${MARK}\n${stringify({ Dial: { Ws } })}\n`;
  }
  const Tcp = { Address, Network: place.network };
  return `${MARK}\n${stringify({ Dial: { Tcp } })}\n`;
}

/** What a configuration of authorities says of one. */
interface AuthorityEntry {
  readonly identifier: string;
  readonly addresses: readonly string[];
  readonly identityPublicKeyPem: string;
  readonly linkPublicKeyPem: string;
  readonly pkiSignatureScheme: string;
  readonly wireKemScheme: string;
}

/**
 * The text of an `authority.toml`: whom to ask for documents, and by which keys they are signed.
 */
function authorityText(authorities: readonly AuthorityEntry[]): string {
  const Authorities = authorities.map((authority) => ({
    Identifier: authority.identifier,
    PKISignatureScheme: authority.pkiSignatureScheme,
    IdentityPublicKey: authority.identityPublicKeyPem,
    WireKEMScheme: authority.wireKemScheme,
    LinkPublicKey: authority.linkPublicKeyPem,
    Addresses: [...authority.addresses],
  }));
  return `${MARK}\n${stringify({ Authorities })}\n`;
}

/** Writes an `authority.toml`. @throws UsageError as {@link writeConfigFile}. */
export function writeAuthorityFile(
  path: string,
  authorities: readonly AuthorityEntry[],
): Promise<void> {
  return writeOurs(path, authorityText(authorities));
}

/**
 * Writes the file, readable by its owner only.
 * @throws UsageError when there is a file that `katz daemon` did not write, or it cannot be
 * written.
 */
export function writeConfigFile(path: string, dial: DialConfig): Promise<void> {
  return writeOurs(path, configText(dial));
}

async function writeOurs(path: string, text: string): Promise<void> {
  try {
    // A symbolic link stays one.
    await replaceFile((await isOurs(path)) ? await realpath(path) : path, text);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot write ${path}: ${fileProblem(error)}`, { cause: error });
  }
}

/**
 * Whether there is a file that may be replaced; false when none is. @throws UsageError for others.
 */
async function isOurs(path: string): Promise<boolean> {
  try {
    // Reading a named pipe would wait for a writer, where no signal is heard.
    if (!(await stat(path)).isFile()) {
      throw new UsageError(`${path} is not a regular file, so it was not changed`);
    }
    const there = await readFile(path, "utf8");
    if (there === "" || there.startsWith(MARK)) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  throw new UsageError(`${path} was not written by katz daemon and is left alone`);
}
