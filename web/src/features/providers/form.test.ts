import { expect, test } from "vitest";

import { ApiError } from "@/api/request";
import type { Provider, ProviderType } from "@/api/types";

import {
  addInput,
  changeInput,
  currentResult,
  fieldOf,
  fingerprint,
  matchesType,
  NEW_PROVIDER,
  testInput,
  trimKey,
  validate,
  valuesForType,
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
  time_limits: {},
  options: {},
} as unknown as Provider;
const AZURE = {
  type: "azure",
  name: "Azure OpenAI",
  description: "OpenAI's models in your own Azure resource",
  default_base_url: "https://{resource}.openai.azure.com/openai",
  requires_key: true,
  requires_base_url: false,
  option_fields: [
    { name: "resource", label: "Resource", required: true, default: "", placeholder: "", help: "" },
    { name: "api_version", label: "API version", required: false, default: "", placeholder: "v1", help: "" },
  ],
} as unknown as ProviderType;

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

test("a type's own fields start with their defaults and are sent", () => {
  const values = { ...NEW_PROVIDER, type: "azure", api_key: "k", ...valuesForType(AZURE) };
  expect(values.options).toEqual({ resource: "", api_version: "" });
  expect(validate(values, AZURE, false)).toEqual({ "options.resource": "Azure OpenAI needs its resource" });
  const filled = { ...values, options: { resource: "mine", api_version: "" } };
  expect(validate(filled, AZURE, false)).toEqual({});
  expect(addInput(filled).options).toEqual(filled.options);
  expect(testInput(filled).options).toEqual(filled.options);
});

test("a base URL of one's own stands in for what would make up the address", () => {
  const values = { ...NEW_PROVIDER, type: "azure", api_key: "k", ...valuesForType(AZURE), base_url: "https://x/openai" };
  expect(validate(values, AZURE, false)).toEqual({});
});

test("a test of a saved provider leaves an untouched address to its options", () => {
  expect(testInput(valuesOf(SAVED), SAVED).base_url).toBeUndefined();
  expect(testInput({ ...valuesOf(SAVED), base_url: "https://other/v1" }, SAVED).base_url).toBe("https://other/v1");
});

const refusal = (param: string): ApiError => new ApiError(422, "validation_error", "no", null, param);

test("a refused option belongs to its field", () => {
  expect(fieldOf(refusal("options.resource"))).toBe("options.resource");
  expect(fieldOf(refusal("elsewhere"))).toBeNull();
});

test.each([
  ["azure", true],
  ["openai azure", true],
  ["own resource", true],
  ["grok", false],
])("a search for %j finds Azure: %j", (search, found) => expect(matchesType(AZURE, search)).toBe(found));
