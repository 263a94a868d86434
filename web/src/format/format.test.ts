import { describe, expect, test } from "vitest";

import { bucketLabel, change, count, dateOnly, duration, lastDayBefore, money, moneyExact, moneyWithUnknown, plural, pricePerMtok, relativeTime, share } from "./format";

describe("money", () => {
  test.each([
    [null, "unknown"],
    [undefined, "unknown"],
    [0, "$0"],
    [0.0000012, "$0.0000012"],
    [0.0004, "$0.0004"],
    [0.0345, "$0.035"],
    [0.05, "$0.05"],
    [0.2, "$0.20"],
    [12.4, "$12.40"],
    [1234.5, "$1,234.50"],
    [12_432.56, "$12.4k"],
    [999_960, "$1M"],
    [3_100_000, "$3.1M"],
    [-5.2, "-$5.20"],
  ])("%s reads %s", (usd, text) => expect(money(usd)).toBe(text));

  test("an unknown price is never shown as a sum", () => {
    expect(pricePerMtok(null)).toBe("unknown");
    expect(pricePerMtok(0.2)).toBe("$0.20 / 1M");
  });

  test("a sum beside unpriced calls says that it is not all", () => {
    expect(moneyWithUnknown(12.4, 0)).toBe("$12.40");
    expect(moneyWithUnknown(12.4, 3)).toBe("$12.40 +");
    expect(moneyWithUnknown(0, 3)).toBe("unknown");
  });

  test("the exact sum keeps every digit", () => expect(moneyExact(12432.558149)).toBe("$12,432.558149"));
});

test.each([
  [null, "unknown"],
  [0, "0"],
  [9876, "9,876"],
  [12_400, "12.4k"],
  [3_100_000, "3.1M"],
])("count %s reads %s", (value, text) => expect(count(value)).toBe(text));

test("one is singular", () => {
  expect(plural(1, "model")).toBe("1 model");
  expect(plural(0, "model")).toBe("0 models");
});

test.each([
  [null, "unknown"],
  [0.4, "<1 ms"],
  [142, "142 ms"],
  [999.6, "1 s"],
  [2400, "2.4 s"],
  [192_000, "3 min 12 s"],
])("duration %s reads %s", (ms, text) => expect(duration(ms)).toBe(text));

describe("relative time", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");
  test.each([
    [null, "never"],
    ["2026-11-23T11:59:55Z", "just now"],
    ["2026-11-23T11:59:18Z", "42 s ago"],
    ["2026-11-23T11:58:00Z", "2 min ago"],
    ["2026-11-23T09:00:00Z", "3 h ago"],
    ["2026-11-18T12:00:00Z", "5 d ago"],
    ["2026-11-27T12:00:00Z", "in 4 d"],
    ["2026-01-10T12:00:00Z", "Jan 10, 2026"],
  ])("%s reads %s", (iso, text) => expect(relativeTime(iso, now)).toBe(text));
});

test("a bucket is labelled by its day in the zone it was cut by", () => {
  expect(bucketLabel("2026-11-01T00:00:00Z", "day", "UTC")).toBe("Nov 1");
  expect(bucketLabel("2026-10-31T23:00:00Z", "month", "Europe/Berlin")).toBe("Nov 2026");
  expect(bucketLabel("2026-10-31T18:30:00Z", "hour", "Asia/Kolkata")).toBe("Nov 1, 00:00");
});

test("an hour that happens twice is told from its double", () => {
  const [first, second, after] = ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"].map((at) =>
    bucketLabel(at, "hour", "Europe/Berlin"),
  );
  expect([first, second]).toEqual(["Oct 25, 02:00 GMT+2", "Oct 25, 02:00 GMT+1"]);
  expect(after).toBe("Oct 25, 03:00");
});

test("a span is said to end on its last day in its own zone, wherever the reader is", () => {
  expect(lastDayBefore("2026-11-30T23:00:00Z", "Europe/Berlin")).toBe("Nov 30, 2026");
  expect(lastDayBefore("2026-12-01T05:00:00Z", "America/New_York")).toBe("Nov 30, 2026");
  expect(dateOnly("2026-10-31T23:00:00Z", "Europe/Berlin")).toBe("Nov 1, 2026");
});

test.each([
  [0.1234, "12.3%"],
  [0.0004, "<0.1%"],
  [1, "100%"],
  [0, "0%"],
])("share %s reads %s", (value, text) => expect(share(value)).toBe(text));

test.each([
  [8, "+8%"],
  [-5.23, "-5.2%"],
  [0, "0%"],
  [-0.01, "0%"],
  [123.4, "+123%"],
  [999.4, "+999%"],
  [1000, "×11"],
  [208_118, "×2,082"],
])("change %s reads %s", (value, text) => expect(change(value)).toBe(text));
