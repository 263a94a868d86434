import { expect, test } from "vitest";

import { fromLines, toLines } from "./roleLines";

test("a map survives being typed", () => {
  const map = { "ops=team": "operator", "/eyes": "viewer" } as const;
  expect(fromLines(toLines(map))).toEqual({ map });
  expect(fromLines("  ops = Admin \n\n")).toEqual({ map: { ops: "admin" } });
  expect(fromLines("")).toEqual({ map: {} });
});

test.each(["ops", "= admin", "ops = root", "ops ="])("%s is no line", (line) => {
  expect(fromLines(`a = user\n${line}`)).toEqual({ wrong: line });
});
