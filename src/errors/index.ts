/** What each error means and what to do about it: for tools that talk to people. */
export { type ErrorExplanation, explainError } from "./explanations.js";
