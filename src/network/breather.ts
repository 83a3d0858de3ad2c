/** Where a network's long work pauses; links to real networks pause theirs there, too. */
export { Breather } from "../clock/breather.js";
