/** The rules of the provider dialogs: what is sent, what a test was about, which field an error belongs to. No markup. */
import type { ApiError } from "@/api/request";
import type { Provider, ProviderChange, ProviderInput, ProviderType, TestInput, TestResult } from "@/api/types";

import { changedTimeLimits, timeLimitProblems, timeLimitValues, type TimeLimitValues } from "./timeLimits";

export interface ProviderValues {
  type: string | null;
  name: string;
  api_key: string;
  base_url: string;
  /** What the type asks for beside key and base URL, by name. */
  options: Record<string, string>;
  allow_private_network: boolean;
  time_limits: TimeLimitValues;
  /** A number field is "" while it is empty. */
  priority: number | string;
  auto_fallback: boolean;
  enabled: boolean;
}

export const NEW_PROVIDER: ProviderValues = {
  type: null,
  name: "",
  api_key: "",
  base_url: "",
  options: {},
  allow_private_network: false,
  time_limits: timeLimitValues({}),
  priority: 50,
  auto_fallback: true,
  enabled: true,
};

export const LOWEST_PRIORITY = 1;
export const HIGHEST_PRIORITY = 100;

export function valuesOf(provider: Provider): ProviderValues {
  return {
    type: provider.type,
    name: provider.name,
    api_key: "",
    base_url: provider.base_url ?? "",
    options: { ...provider.options },
    allow_private_network: provider.allow_private_network,
    time_limits: timeLimitValues(provider.time_limits),
    priority: provider.priority,
    auto_fallback: provider.auto_fallback,
    enabled: provider.enabled,
  };
}

/** What people paste around a key: spaces, line ends, quotes. */
export function trimKey(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/s, "$2").trim();
}

/** What a form shows after its type was chosen: nothing of the type before, and this one's defaults. */
export function valuesForType(type: ProviderType | undefined): Pick<ProviderValues, "options" | "allow_private_network"> {
  return {
    options: Object.fromEntries((type?.option_fields ?? []).map((field) => [field.name, field.default])),
    // A server of one's own is on a private network; nobody else's should be.
    allow_private_network: type?.local ?? false,
  };
}

/** Whether a search in the list of types means this one; makers' and models' names stand in the description. */
export function matchesType(type: ProviderType, search: string): boolean {
  const text = `${type.name} ${type.type} ${type.description} ${type.recommended_for ?? ""}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Problems that can be seen without the server; the server checks everything again. */
export function validate(
  values: ProviderValues,
  type: ProviderType | undefined,
  hasStoredKey: boolean,
): Record<string, string> {
  const problems: Record<string, string> = {};
  if (!values.type) problems.type = "Choose a provider type";
  if (type?.requires_key && !hasStoredKey && !trimKey(values.api_key)) {
    problems.api_key = `${type.name} needs an API key`;
  }
  if (type?.requires_base_url && !values.base_url.trim()) {
    problems.base_url = "This type needs a base URL";
  }
  for (const field of type?.option_fields ?? []) {
    const inAddress = type?.default_base_url?.includes(`{${field.name}}`) ?? false;
    if (field.required && !values.options[field.name]?.trim() && !(inAddress && values.base_url.trim())) {
      problems[`options.${field.name}`] = `${type?.name ?? "This type"} needs its ${field.label.toLowerCase()}`;
    }
  }
  const priority = Number(values.priority);
  if (values.priority === "" || !Number.isInteger(priority) || priority < LOWEST_PRIORITY || priority > HIGHEST_PRIORITY) {
    problems.priority = `A whole number from ${LOWEST_PRIORITY} to ${HIGHEST_PRIORITY}`;
  }
  return { ...problems, ...timeLimitProblems(values.time_limits) };
}

/** The body that adds a provider; what was left blank is left to the server. */
export function addInput(values: ProviderValues): ProviderInput {
  const key = trimKey(values.api_key);
  const name = values.name.trim();
  const baseUrl = values.base_url.trim();
  const limits = changedTimeLimits(values.time_limits, NEW_PROVIDER.time_limits);
  return {
    type: values.type ?? "",
    ...(name && { name }),
    ...(key && { api_key: key }),
    ...(baseUrl && { base_url: baseUrl }),
    ...someOptions(values),
    ...(limits && { time_limits: limits }),
    priority: Number(values.priority),
    auto_fallback: values.auto_fallback,
    enabled: values.enabled,
    allow_private_network: values.allow_private_network,
  };
}

function someOptions(values: ProviderValues): { options?: Record<string, string> } {
  return Object.keys(values.options).length > 0 ? { options: values.options } : {};
}

/** Only what differs from the saved provider, so that nobody else's edit is overwritten. */
export function changeInput(values: ProviderValues, saved: Provider): ProviderChange {
  const before = valuesOf(saved);
  const change: ProviderChange = {};
  const key = trimKey(values.api_key);
  if (key) change.api_key = key;
  if (values.name.trim() !== before.name) change.name = values.name.trim();
  if (values.base_url.trim() !== before.base_url) change.base_url = values.base_url.trim();
  if (JSON.stringify(values.options) !== JSON.stringify(before.options)) change.options = values.options;
  if (Number(values.priority) !== before.priority) change.priority = Number(values.priority);
  if (values.auto_fallback !== before.auto_fallback) change.auto_fallback = values.auto_fallback;
  if (values.enabled !== before.enabled) change.enabled = values.enabled;
  if (values.allow_private_network !== before.allow_private_network) {
    change.allow_private_network = values.allow_private_network;
  }
  const limits = changedTimeLimits(values.time_limits, before.time_limits);
  if (limits) change.time_limits = limits;
  return change;
}

/** The body of a test of what is typed; with a saved provider a blank key means the stored one. */
export function testInput(values: ProviderValues, saved?: Provider): TestInput {
  const key = trimKey(values.api_key);
  // An address that was not touched follows the options, as it does when they are saved.
  const baseUrl = values.base_url.trim() === saved?.base_url ? "" : values.base_url.trim();
  return {
    type: values.type ?? "",
    ...(key && { api_key: key }),
    ...(baseUrl && { base_url: baseUrl }),
    ...someOptions(values),
    allow_private_network: values.allow_private_network,
    ...(saved && { provider_id: saved.id }),
  };
}

/** A test's result and the very input that it speaks about. */
export interface Tested {
  input: string;
  result: TestResult;
}

export const fingerprint = (input: TestInput): string => JSON.stringify(input);

/** The result, as long as nothing that it tested has been changed since. */
export function currentResult(tested: Tested | null, input: TestInput): TestResult | null {
  return tested && tested.input === fingerprint(input) ? tested.result : null;
}

const FIELDS: readonly string[] = Object.keys(NEW_PROVIDER);

/** The field that a refused save belongs to, or null when it belongs to the whole form. */
export function fieldOf(error: ApiError): string | null {
  return error.param && FIELDS.includes(error.param.split(".")[0] ?? "") ? error.param : null;
}
