import { expect, test } from "vitest";

import type { Explore, ExploreGroup } from "@/api/types";

import { csvOf } from "./exportShown";
import { requestsBehind } from "./filters";

const point = { start_at: "2026-11-01T00:00:00Z", end_at: "2026-11-02T00:00:00Z", value: 0.1234567, estimated_share: 0.25 };
const group = (value: string | null, name: string | null): ExploreGroup => ({
  value,
  name,
  total: 1,
  previous: null,
  change_pct: null,
  share: 0.5,
  calls: 1,
  cost_usd: 1,
  estimated_share: 0,
  unknown_cost_calls: 0,
  requests: "from_at=2026-11-01T00%3A00%3A00Z&to_at=2026-11-08T00%3A00%3A00Z&tag=a%26b",
  points: [point],
});
const explored = {
  metric: "cost",
  unit: "usd",
  group: "tag",
  groups: [group('=HYPERLINK("x")', null), group(null, null)],
  groups_total: 5,
  other: group(null, null),
  points: [point],
} as Explore;

test("a spreadsheet gets every digit and computes nothing", () => {
  const [, formula, none, other] = csvOf(explored).split("\r\n");
  expect(formula).toBe(
    `cost,usd,tag,"'=HYPERLINK(""x"")","'=HYPERLINK(""x"")",2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,0.1234567,0.25`,
  );
  expect(none).toContain(",No tag,");
  expect(other).toContain(",Other (3),");
});

test("a point lists the requests of its own time under the filters of its line", () => {
  expect(requestsBehind(explored.groups[0]!.requests, point)).toEqual({
    from_at: "2026-11-01T00:00:00Z",
    to_at: "2026-11-02T00:00:00Z",
    tag: "a&b",
  });
});
