/** The window of boxes that a reader asks for. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { messageBoxCounter } from "../../src/bacap/index.js";
import { generateKeypair } from "../../src/bacap/capabilities.js";
import type { BoxResult } from "../../src/channels/channel-client.js";
import { type Question, ReadWindow } from "../../src/channels/read-window.js";

const { firstMessageIndex } = generateKeypair();
const FIRST = messageBoxCounter(firstMessageIndex);

/** How far the box of a question is from the first one. */
const placeOf = ({ index }: Question): number => Number(messageBoxCounter(index) - FIRST);

/** A box whose content is its place. */
const boxAt = (place: number): BoxResult => ({ kind: "found", plaintext: Uint8Array.of(place) });

/** Asks for all boxes that the window allows. */
function askAll(window: ReadWindow): Question[] {
  const asked: Question[] = [];
  while (window.isOpen) asked.push(window.ask());
  return asked;
}

/** Takes what has come; returns the places. */
function take(window: ReadWindow): number[] {
  const places = window.found.map((box) => (box.kind === "found" ? box.plaintext[0]! : -1));
  if (places.length > 0) window.advance(places.length);
  return places;
}

/** A window of eight boxes, all of which are asked for. */
function wide(): { window: ReadWindow; asked: Question[] } {
  const window = new ReadWindow(firstMessageIndex, 8);
  return { window, asked: askAll(window) };
}

describe("a reader's window", () => {
  it("asks for one box, and for twice as many in each round trip, up to eight", () => {
    const window = new ReadWindow(firstMessageIndex);
    const rounds: number[] = [];
    for (let round = 0; round < 5; round++) {
      const asked = askAll(window);
      rounds.push(asked.length);
      for (const question of asked) question.found(boxAt(placeOf(question)));
      take(window);
    }
    assert.deepEqual(rounds, [1, 2, 4, 8, 8]);
  });

  it("asks for another box as soon as the first one is handed out", () => {
    const { window, asked } = wide();
    asked[0]!.found(boxAt(0));
    assert.deepEqual(take(window), [0]);
    assert.deepEqual(askAll(window).map(placeOf), [8]);
  });

  it("keeps the boxes behind a missing one, and asks for that one alone", () => {
    const { window, asked } = wide();
    for (const question of asked.slice(1, 7)) question.found(boxAt(placeOf(question)));
    assert.deepEqual(take(window), []);
    assert.equal(asked[0]!.missing(), true);
    const again = askAll(window);
    assert.deepEqual(again.map(placeOf), [0]);
    again[0]!.found(boxAt(0));
    assert.deepEqual(take(window), [0, 1, 2, 3, 4, 5, 6]);
  });

  it("does not ask for a missing box before those in front of it have come", () => {
    const { window, asked } = wide();
    assert.equal(asked[2]!.missing(), false);
    for (const question of asked.slice(3)) assert.equal(question.missing(), false);
    asked[0]!.found(boxAt(0));
    assert.deepEqual(take(window), [0]);
    assert.deepEqual(askAll(window), []);
    asked[1]!.found(boxAt(1));
    assert.deepEqual(take(window), [1]);
    const again = askAll(window);
    assert.deepEqual(again.map(placeOf), [2]);
    again[0]!.found(boxAt(2));
    assert.deepEqual(take(window), [2]);
    assert.deepEqual(askAll(window).map(placeOf), [3, 4]);
  });

  it("asks for one box after a failure", () => {
    const { window, asked } = wide();
    for (const question of asked) question.failed();
    assert.deepEqual(askAll(window).map(placeOf), [0]);
  });

  it("hands out every box once and in order, whatever comes when", () => {
    const answers = fc.array(
      fc.tuple(fc.nat(), fc.constantFrom("found", "found", "found", "missing", "failed", "take")),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(answers, (steps) => {
        const window = new ReadWindow(firstMessageIndex);
        const asked = new Map<number, Question>();
        const found = new Set<number>();
        let taken = 0;
        for (const [which, what] of steps) {
          for (const question of askAll(window)) {
            const place = placeOf(question);
            assert.ok(!asked.has(place) && !found.has(place), `${place} is asked for once`);
            assert.ok(place >= taken && place < taken + 8, `${place} is near ${taken}`);
            asked.set(place, question);
          }
          assert.ok(asked.size > 0 || found.has(taken), "it never stands still");
          const places = [...asked.keys()];
          const place = places[which % places.length];
          if (what === "take") {
            for (const at of take(window)) {
              assert.equal(at, taken++);
              assert.ok(found.delete(at));
            }
            assert.ok(!found.has(taken));
          } else if (place !== undefined) {
            const question = asked.get(place)!;
            asked.delete(place);
            if (what === "found") {
              question.found(boxAt(place));
              found.add(place);
            } else if (what === "missing") assert.equal(question.missing(), place === taken);
            else question.failed();
          }
        }
      }),
    );
  });
});
