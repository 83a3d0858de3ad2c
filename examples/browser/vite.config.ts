/** How Vite builds a page with the network in a worker. */
// #region config
export default {
  optimizeDeps: {
    exclude: ["katzenpost-thinclient"],
    include: ["katzenpost-thinclient > browser-level"], // this dependency is CommonJS
  },
  worker: { format: "es" },
  build: { target: "es2022" },
};
// #endregion
