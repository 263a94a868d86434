import { describe, expect, it } from "vitest";

import { capabilityLabel, retirement, sourceLabel } from "./words";

const now = Date.parse("2026-11-27T12:00:00Z");

describe("retirement", () => {
  it("is soon within thirty days and once it has passed", () => {
    expect(retirement("2027-06-01", now)).toEqual({ label: "Retires on Jun 1, 2027", soon: false });
    expect(retirement("2026-12-20", now)).toEqual({ label: "Retires on Dec 20, 2026", soon: true });
    expect(retirement("2026-11-01", now)).toEqual({ label: "Retired on Nov 1, 2026", soon: true });
  });
  it("may be announced without a day", () => {
    expect(retirement(null, now)).toEqual({ label: "Deprecated", soon: false });
  });
});

describe("words", () => {
  it("name a capability that they do not know", () => {
    expect(capabilityLabel("vision")).toBe("Images in");
    expect(capabilityLabel("web_search")).toBe("web search");
  });
  it("say where a value comes from", () => {
    expect(sourceLabel("override")).toBe("set by an administrator");
    expect(sourceLabel("models.dev 2026-07-02")).toBe("models.dev 2026-07-02");
    expect(sourceLabel(undefined)).toBe("no source knows it");
  });
});
