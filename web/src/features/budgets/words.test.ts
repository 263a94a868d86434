import { describe, expect, it } from "vitest";

import type { Budget } from "@/api/types";

import { outlook, urgency, warning } from "./words";

const budget = (given: Partial<Budget>): Budget => ({
  id: "bud_1",
  scope: "everything",
  subject_id: null,
  subject_name: "Everything",
  amount_usd: 10,
  period: "month",
  hard: true,
  warn_at: [50, 80, 100],
  period_start_at: "2026-11-01T00:00:00Z",
  period_end_at: "2026-12-01T00:00:00Z",
  spent_usd: 1,
  estimated_share: 0,
  share: 0.1,
  status: "ok",
  unknown_cost_requests: 0,
  projected_usd: 5,
  runs_out_at: null,
  created_at: "2026-11-01T00:00:00Z",
  updated_at: "2026-11-01T00:00:00Z",
  ...given,
});

describe("budgets in words", () => {
  it("says when one runs out, and what becomes of requests when it has", () => {
    expect(outlook(budget({}))).toBe("About $5.00 by the end at this pace");
    expect(outlook(budget({ runs_out_at: "2026-11-20T12:00:00Z" }))).toMatch(/^Runs out on .* at this pace$/);
    expect(outlook(budget({ share: 1.2 }))).toBe("Used up: requests are refused");
    expect(outlook(budget({ share: 1.2, hard: false }))).toBe("Used up: requests go on");
    expect(outlook(budget({ projected_usd: null }))).toBe("Too early to tell");
  });

  it("warns of the worst first and of nothing while all is well", () => {
    const close = budget({ share: 0.85 });
    const soon = budget({ runs_out_at: "2026-11-20T12:00:00Z" });
    const spent = budget({ share: 1 });
    expect([budget({}), close, soon, spent].map(urgency)).toEqual(["green", "yellow", "yellow", "red"]);
    expect(warning([budget({})])).toBeNull();
    expect(warning([close, soon])).toEqual({ text: "2 budgets run out", color: "yellow" });
    expect(warning([close, spent])).toEqual({ text: "1 budget used up", color: "red" });
  });
});
