import { fileURLToPath, URL } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The server that `npm run dev` passes API calls to; `npm run build` never reads it.
const server = process.env.OPS_CENTER_URL ?? "http://127.0.0.1:8084";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "../src/ops_center/console/public",
    emptyOutDir: true,
    sourcemap: false,
    // Every chunk that the first page needs is small; charts are loaded by the panel that draws them.
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: { "/api": server, "/v1": server },
  },
  test: {
    environment: "node", // a test of components asks for jsdom in its first line: a document is dear to make
    globals: false,
    css: false,
  },
});
