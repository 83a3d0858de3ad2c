/** The time that the map shows: now, or a time in the past, at which it stands or plays. */
import { signal } from "@preact/signals";
import { now, traffic } from "./store.js";

/** Looking back: the map shows `from` at the page's time `since`, and plays at `speed`; 0 stands. */
interface Playback {
  readonly from: number;
  readonly since: number;
  readonly speed: number;
}

/** Null while the map shows what happens now. */
export const playback = signal<Playback | null>(null);

/** The speeds that a user can choose. */
export const speeds = [0.1, 0.25, 0.5, 1, 4] as const;
/** The chosen speed. */
export const speed = signal<number>(0.25);

/** The time that the map shows. */
export function shownTime(): number {
  const back = playback.value;
  if (back === null) return now();
  return Math.min(now(), back.from + (performance.now() - back.since) * back.speed);
}

/** The range of times that can be shown. */
export function shownRange(): { readonly first: number; readonly last: number } {
  const last = now();
  return { first: Math.min(traffic.since ?? last, last), last };
}

/** Shows a time and stands there. */
export function showTime(at: number): void {
  const { first, last } = shownRange();
  const from = Math.max(first, Math.min(last, at));
  playback.value = { from, since: performance.now(), speed: 0 };
}

/** Plays from the time that is shown; from the beginning if that is now. */
export function play(): void {
  const from = playback.value === null ? shownRange().first : shownTime();
  playback.value = { from, since: performance.now(), speed: speed.value };
}

/** Stands at the time that is shown. */
export function pause(): void {
  showTime(shownTime());
}

/** Returns to what happens now. */
export function live(): void {
  playback.value = null;
}

/** Changes the speed, also of what plays at the moment. */
export function setSpeed(to: number): void {
  const playing = playback.value !== null && playback.value.speed > 0;
  speed.value = to;
  if (playing) play();
}

/** Ends a playback that has reached the present, or whose time is no longer kept. */
export function catchUp(): void {
  if (playback.value === null) return;
  const at = shownTime();
  if ((playback.value.speed > 0 && at >= now()) || at < shownRange().first - 1000) live();
}
