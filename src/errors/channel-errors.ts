/** The errors of channels. */
import { type ErrorDetails, ThinClientError } from "./errors.js";

/**
 * Another writer wrote a box of this channel, such as a restored backup, a copied store, or a
 * second device with the same WriteCap. The channel sends nothing more.
 */
export class ChannelForkedError extends ThinClientError {
  override name = "ChannelForkedError";
  readonly code = "ERR_CHANNEL_FORKED";
  readonly retryable = false;
  /** The channel's name in this store. */
  readonly channel: string;
  /** The message whose box holds other bytes. */
  readonly id: bigint;

  constructor(channel: string, id: bigint, details?: ErrorDetails) {
    super(
      `channel ${JSON.stringify(channel)} is forked: the box of message ${id} holds other bytes. ` +
        "Another copy of this store, or another holder of the WriteCap, wrote it. Nothing more is " +
        "sent; create a new channel and hand out its invitation",
      details,
    );
    this.channel = channel;
    this.id = id;
  }
}

/** A store of channels cannot be opened, read or written; the message says why and what to do. */
export class ChannelStoreError extends ThinClientError {
  override name = "ChannelStoreError";
  readonly code = "ERR_CHANNEL_STORE";
  readonly retryable = false;
}

/** The store has no channel with that name and kind. */
export class ChannelNotFoundError extends ThinClientError {
  override name = "ChannelNotFoundError";
  readonly code = "ERR_CHANNEL_NOT_FOUND";
  readonly retryable = false;
}

/** The store already has a channel with that name. */
export class ChannelExistsError extends ThinClientError {
  override name = "ChannelExistsError";
  readonly code = "ERR_CHANNEL_EXISTS";
  readonly retryable = false;
}
