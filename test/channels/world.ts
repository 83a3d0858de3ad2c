import { type Channels, type ChannelOptions, openChannels } from "../../src/channels/index.js";
import { VirtualClock } from "../../src/clock/virtual.js";
import { BoxesDouble } from "./boxes-double.js";
import { CrashDatabase, Disk } from "./crash-database.js";

/** A clock whose wall is set while its timers stay where they are, as after sleep or by hand. */
export class WallClock extends VirtualClock {
  aheadMs = 0;

  override now(): number {
    return super.now() + this.aheadMs;
  }
}

/** A clock, the boxes of a network, and a function that opens channels on a disk with both. */
export function world(): {
  clock: WallClock;
  boxes: BoxesDouble;
  open: (disk?: Disk, options?: ChannelOptions) => Promise<Channels>;
} {
  const clock = new WallClock();
  const boxes = new BoxesDouble(clock);
  const open = (disk = new Disk(), options: ChannelOptions = {}): Promise<Channels> =>
    openChannels(boxes.client(), new CrashDatabase(disk), { clock, ...options });
  return { clock, boxes, open };
}
