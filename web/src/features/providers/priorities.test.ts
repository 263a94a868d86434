import { describe, expect, it } from "vitest";

import { moved } from "./priorities";

const list = (...priorities: number[]) => priorities.map((priority, place) => ({ id: `p${place}`, priority }));

/** The ids in their order after the change. */
function after(before: ReturnType<typeof list>, from: number, to: number): string[] {
  const changed = moved(before, from, to);
  return before
    .map((one) => ({ id: one.id, priority: changed[one.id] ?? one.priority }))
    .toSorted((a, b) => b.priority - a.priority)
    .map((one) => one.id);
}

describe("moved", () => {
  it("takes a number between its new neighbours", () => {
    expect(moved(list(90, 50, 10), 2, 1)).toEqual({ p2: 70 });
  });

  it("goes above the first and below the last", () => {
    expect(moved(list(50, 40), 1, 0)).toEqual({ p1: 60 });
    expect(moved(list(50, 40), 0, 1)).toEqual({ p0: 30 });
  });

  it("becomes an equal between equals", () => {
    expect(moved(list(80, 50, 50), 0, 1)).toEqual({ p0: 50 });
  });

  it("never leaves the range, and spreads the levels where no number is free", () => {
    for (const before of [list(100, 99, 98), list(3, 2, 1), list(51, 50, 49, 48), list(100, 100, 99)]) {
      for (let from = 0; from < before.length; from += 1) {
        for (let to = 0; to < before.length; to += 1) {
          for (const priority of Object.values(moved(before, from, to))) {
            expect(Number.isInteger(priority)).toBe(true);
            expect(priority).toBeGreaterThanOrEqual(1);
            expect(priority).toBeLessThanOrEqual(100);
          }
        }
      }
    }
    expect(after(list(51, 50, 49), 2, 1)).toEqual(["p0", "p2", "p1"]);
    expect(after(list(100, 99), 1, 0)).toEqual(["p1", "p0"]);
    expect(after(list(2, 1), 0, 1)).toEqual(["p1", "p0"]);
  });

  it("keeps those equal that were equal when it spreads", () => {
    const before = list(51, 50, 50, 49);
    const changed = moved(before, 3, 1);
    expect(changed.p1 ?? 50).toBe(changed.p2 ?? 50);
    expect(after(before, 3, 1)).toEqual(["p0", "p3", "p1", "p2"]);
  });

  it("changes nothing where nothing moved", () => {
    expect(moved(list(50, 40), 1, 1)).toEqual({});
  });
});
