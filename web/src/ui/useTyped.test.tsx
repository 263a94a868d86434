// @vitest-environment jsdom
import "@/test/setup";

import { act, renderHook } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";

import { useTyped } from "./useTyped";

const REST_MS = 250;

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

function field() {
  const reported: string[] = [];
  const hook = renderHook(({ value }) => useTyped(value, (text) => reported.push(text), REST_MS), {
    initialProps: { value: "" },
  });
  return {
    reported,
    text: () => hook.result.current[0],
    type: (text: string) => act(() => hook.result.current[1](text)),
    rest: () => act(() => vi.advanceTimersByTime(REST_MS)),
    address: (value: string) => hook.rerender({ value }),
  };
}

test("what is typed stands while the address is slow to follow", () => {
  const { text, type, rest, address, reported } = field();
  type("5");
  rest();
  expect(reported).toEqual(["5"]);
  expect(text()).toBe("5");
  type("50"); // before the address has the 5
  address("5");
  expect(text()).toBe("50");
  rest();
  address("50");
  expect([text(), reported]).toEqual(["50", ["5", "50"]]);
});

test("what is being typed outlives another change of the address", () => {
  const { text, type, rest, address, reported } = field();
  type("5");
  address("7"); // a saved view opens
  expect(text()).toBe("5");
  rest();
  expect(reported).toEqual(["5"]);
});

test("a field that nobody types in follows the address", () => {
  const { text, type, rest, address } = field();
  type("5");
  rest();
  address("5");
  address("");
  expect(text()).toBe("");
});
