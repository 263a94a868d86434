// @vitest-environment jsdom
import { renderHook } from "@testing-library/react";
import { expect, it } from "vitest";

import { useStill } from "./useStill";

it("shows the first rows as they come, and keeps their places until it is closed", () => {
  const NONE: string[] = [];
  const first = ["gpt-4o", "claude-haiku"];
  const later = ["claude-haiku", "gpt-4o"];
  const { result, rerender } = renderHook(({ rows, isOpen }) => useStill(rows, isOpen), {
    initialProps: { rows: NONE, isOpen: true },
  });
  rerender({ rows: first, isOpen: true });
  expect(result.current).toBe(first);
  rerender({ rows: later, isOpen: true });
  expect(result.current).toBe(first);
  rerender({ rows: later, isOpen: false });
  expect(result.current).toBe(later);
});
