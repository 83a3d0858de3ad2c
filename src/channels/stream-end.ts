/**
 * Streams that end. The counter of a box's index has 64 bits, and no index follows the last one. Our
 * own streams begin below 2^63 and never come near the end, but a stranger may choose any counter.
 */
import { messageBoxCounter } from "../bacap/message-box-index.js";
import type { MessageBoxIndex } from "../bytes/opaque.js";

/** More boxes than anybody writes, or than a look ahead passes over. */
const BOXES_LEFT = 2n ** 32n;
const END = 2n ** 64n - BOXES_LEFT;

/** Whether so few boxes follow `index` that a reader could come to the end. */
export function isNearEnd(index: MessageBoxIndex): boolean {
  return messageBoxCounter(index) >= END;
}
