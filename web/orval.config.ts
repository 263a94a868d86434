import { defineConfig } from "orval";

/** `npm run api` writes the client from openapi.json; nobody edits what it writes. */
export default defineConfig({
  control: {
    input: "./openapi.json",
    output: {
      target: "./src/api/generated/control.ts",
      client: "fetch",
      mode: "split",
      clean: true,
      override: {
        mutator: { path: "./src/api/request.ts", name: "request" },
        fetch: { includeHttpResponseReturnType: false },
      },
    },
  },
});
