/** The ways of the embedded network's packets are chosen as those of real ones. */
export * from "../../mixnet/path.js";
