import { defineConfig } from "vite";

export default defineConfig({
  base: "/console/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../bundle",
    emptyOutDir: false, // a file of it is kept in git; console.mk removes the rest
    target: "es2022",
    assetsInlineLimit: 0, // the page's policy allows no data: URLs
    modulePreload: { polyfill: false },
  },
  // `npm run dev` beside a running server.
  server: { proxy: Object.fromEntries(["/console/config.json", "/recollect/"].map((path) => [path, "http://127.0.0.1:7180"])) },
});
