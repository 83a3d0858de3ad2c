/** The ID under which a gateway stores a client's replies (spec/mixnet §2.1). */
import { type Bytes, type RandomSource, randomBytes, toHex, utf8 } from "../bytes/bytes.js";

/** A fresh queue ID: 32 ASCII bytes, the hex digits of 16 random bytes. */
export function newQueueId(random: RandomSource = randomBytes): Bytes {
  return utf8(toHex(random(16)));
}
