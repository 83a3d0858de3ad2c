/** The NIKE schemes that an embedded network offers; the slow one works in workers. */
import { spawnCtidhWorker } from "#platform";
import type { Clock } from "../clock/clock.js";
import { CtidhPool } from "../crypto/ctidh/pool.js";
import { ctidh1024Nike } from "../crypto/ctidh/provider.js";
import { ctidh1024X25519Nike } from "../crypto/nike/hybrid.js";
import type { NikeScheme } from "../crypto/nike/scheme.js";
import { fastX25519Nike } from "../crypto/nike/x25519.js";

/** Schemes by name; workers start with the first use of the slow one. */
export class NikeSchemes {
  readonly #pool: CtidhPool;
  readonly #x25519 = fastX25519Nike();
  readonly #hybrid: NikeScheme;

  constructor(clock: Clock) {
    this.#pool = new CtidhPool(spawnCtidhWorker, { clock });
    this.#hybrid = ctidh1024X25519Nike(ctidh1024Nike(this.#pool));
  }

  /** The scheme with that name. */
  named(name: "x25519" | "CTIDH1024-X25519"): NikeScheme {
    return name === "x25519" ? this.#x25519 : this.#hybrid;
  }

  /** Ends the workers. */
  close(): void {
    this.#pool.close();
  }
}
