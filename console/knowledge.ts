/** What each party of the network learns and does not learn, explained for newcomers. */
import type { Role } from "./map-layout.js";

/** What the page says about one party. */
export interface Knowledge {
  readonly what: string;
  readonly learns: readonly string[];
  readonly not: readonly string[];
}

/** The texts, by the role of a node. */
export const knowledge: Readonly<Record<Role | "authority", Knowledge>> = {
  you: {
    what:
      "Your program and its daemon. The daemon sends one packet on each tick of a random clock: " +
      "yours if one waits, cover traffic otherwise. So your rate says nothing about what you do.",
    learns: ["everything that you do: run your daemon on your own machine"],
    not: ["what other users do"],
  },
  gateway: {
    what:
      "The door to the mixnet. It takes your packets and keeps replies until your daemon fetches " +
      "them.",
    learns: [
      "your network address, and when you are connected",
      "that a packet came from you, at a rate that is the same whatever you do",
    ],
    not: [
      "whether a packet is yours or cover traffic",
      "where it goes, what is in it, or which reply answers which packet",
    ],
  },
  mix: {
    what:
      "A mix takes one layer of encryption off each packet, holds it for a random time that the " +
      "sender chose, and passes it on. Packets leave in another order than they arrived.",
    learns: ["which node a packet came from, which node is next, and how long to hold it"],
    not: ["who sent it, where it ends, or what is in it: all packets have one size"],
  },
  service: {
    what:
      "A service node answers at the end of the mixnet. A courier is such a service: it takes " +
      "sealed envelopes to the storage replicas and brings back sealed answers.",
    learns: [
      "that somebody sent an envelope, and which two replicas can open it",
      "that the same envelope was sent again, when a client asks once more",
      "of a copy command: the temporary stream, so that its boxes belong together",
    ],
    not: [
      "who sent it: the answer leaves by a reply block, which hides the way back",
      "which box it is about, whether it reads, writes or deletes, and what is in the box",
      "whether two envelopes belong to one user or one stream",
    ],
  },
  replica: {
    what:
      "A storage replica keeps boxes. Each box has two replicas that store it, which follows from " +
      "its ID. An envelope goes to two other replicas, where there are four or more, which pass " +
      "the request on.",
    learns: [
      "the ID of a box, its ciphertext and signature, and when it was written or read",
      "which courier or replica asked",
    ],
    not: [
      "who writes or reads: couriers do not know it either",
      "which boxes belong together: the IDs of one stream look unrelated",
      "what is in a box: only holders of the read capability can open it",
    ],
  },
  authority: {
    what:
      "The directory authorities agree on one document for each epoch. It lists every node with " +
      "its keys. Your daemon checks their signatures.",
    learns: ["which nodes exist, and whether they are up"],
    not: ["anything about users: they fetch the document through their gateway"],
  },
};
