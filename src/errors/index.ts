/** The meaning of each error and what to do about it, for tools that talk to people. */
export {
  ChannelExistsError,
  ChannelForkedError,
  ChannelNotFoundError,
  ChannelStoreError,
} from "./channel-errors.js";
export { type ErrorExplanation, explainError } from "./explanations.js";
