import { expect, test } from "vitest";

import { ApiError } from "@/api/request";
import type { Provider, ProviderType } from "@/api/types";

import {
  addInput,
  changeInput,
  currentResult,
  fieldOf,
  fingerprint,
  NEW_PROVIDER,
  testInput,
  trimKey,
  validate,
  valuesOf,
} from "./form";

const OPENROUTER = {
  type: "openrouter",
  name: "OpenRouter",
  requires_key: true,
  requires_base_url: false,
  local: false,
} as ProviderType;
const CUSTOM = { type: "custom", name: "Custom", requires_key: false, requires_base_url: true } as ProviderType;
const SAVED = {
  type: "openai",
  name: "OpenAI",
  base_url: "https://api.openai.com/v1",
  priority: 50,
  auto_fallback: true,
  enabled: true,
  allow_private_network: false,
} as Provider;

test.each([
  ["  sk-1 \n", "sk-1"],
  ['"sk-1"', "sk-1"],
  ["' sk-1 '", "sk-1"],
  ['sk-"1', 'sk-"1'],
])("a pasted key %j becomes %j", (pasted, key) => expect(trimKey(pasted)).toBe(key));

test("what was left blank is left to the server", () => {
  expect(addInput({ ...NEW_PROVIDER, type: "openrouter", api_key: " sk-or-v1-x " })).toEqual({
    type: "openrouter",
    api_key: "sk-or-v1-x",
    priority: 50,
    auto_fallback: true,
    enabled: true,
    allow_private_network: false,
  });
});

test("only what was changed is sent, and a blank key keeps the old one", () => {
  const values = valuesOf(SAVED);
  expect(changeInput(values, SAVED)).toEqual({});
  expect(changeInput({ ...values, priority: 80, api_key: "  " }, SAVED)).toEqual({ priority: 80 });
});

test("a key is asked for where the type needs one and none is stored", () => {
  const values = { ...NEW_PROVIDER, type: "openrouter" };
  expect(validate(values, OPENROUTER, false)).toHaveProperty("api_key");
  expect(validate(values, OPENROUTER, true)).toEqual({});
  expect(validate({ ...values, type: "custom" }, CUSTOM, false)).toEqual({ base_url: "This type needs a base URL" });
});

test.each([0, 101, 1.5, ""])("a priority of %j is refused", (priority) =>
  expect(validate({ ...NEW_PROVIDER, type: "openrouter", api_key: "k", priority }, OPENROUTER, false)).toHaveProperty(
    "priority",
  ),
);

test("a test's result counts only for what was tested", () => {
  const values = { ...NEW_PROVIDER, type: "openrouter", api_key: "sk-1" };
  const result = { success: true, latency_ms: 142, message: "Connection successful! (142ms)" };
  const tested = { input: fingerprint(testInput(values)), result };
  expect(currentResult(tested, testInput({ ...values, name: "Renamed" }))).toBe(result);
  expect(currentResult(tested, testInput({ ...values, api_key: "sk-2" }))).toBeNull();
});

test("an error belongs to the field that the server names", () => {
  expect(fieldOf(new ApiError(409, "conflict", "taken", null, "name"))).toBe("name");
  expect(fieldOf(new ApiError(422, "invalid", "odd", null, "models"))).toBeNull();
});
