/** How Vite builds a page with the network in a worker. */
// #region config
export default {
  optimizeDeps: { exclude: ["katzenpost-thinclient"] },
  worker: { format: "es" },
  build: { target: "es2022" },
};
// #endregion
