import { expect, test } from "vitest";

import { changesOf } from "./changes";

test("a change names the old and the new value of each field", () => {
  expect(changesOf({ priority: 50, auto_fallback: true }, { priority: 80, auto_fallback: false })).toEqual([
    "priority: 50 → 80",
    "auto fallback: on → off",
  ]);
});

test("an instant reads as one", () => {
  expect(changesOf(null, { expires_at: "2026-11-28T09:30:00+00:00" })).toEqual(["expires at: Nov 28, 2026, 09:30:00"]);
});

test("what was made is told in one line without its empty fields", () => {
  expect(changesOf(null, { name: "OpenAI", models: null, disabled: false })).toEqual(["name: OpenAI"]);
  expect(changesOf(null, { tags: [], warn_at: [50, 80] })).toEqual(["warn at: 50, 80"]);
  expect(changesOf({ tags: [] }, { tags: ["a", "b"] })).toEqual(["tags: none → a, b"]);
  expect(changesOf({ rates: {} }, { rates: { tokens_per_minute: 9 } })).toEqual(["rates: none → tokens per minute 9"]);
  expect(changesOf(null, null)).toEqual([]);
});
