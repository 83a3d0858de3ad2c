export { toHex } from "./bytes/bytes.js";
