/** The rules of the provider dialogs: what is sent, what a test was about, which field an error belongs to. No markup. */
import type { ApiError } from "@/api/request";
import type { Provider, ProviderChange, ProviderInput, ProviderType, TestInput, TestResult } from "@/api/types";

export interface ProviderValues {
  type: string | null;
  name: string;
  api_key: string;
  base_url: string;
  allow_private_network: boolean;
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
  allow_private_network: false,
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
    allow_private_network: provider.allow_private_network,
    priority: provider.priority,
    auto_fallback: provider.auto_fallback,
    enabled: provider.enabled,
  };
}

/** What people paste around a key: spaces, line ends, quotes. */
export function trimKey(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/s, "$2").trim();
}

/** Problems that can be seen without the server; the server checks everything again. */
export function validate(
  values: ProviderValues,
  type: ProviderType | undefined,
  hasStoredKey: boolean,
): Partial<Record<keyof ProviderValues, string>> {
  const problems: Partial<Record<keyof ProviderValues, string>> = {};
  if (!values.type) problems.type = "Choose a provider type";
  if (type?.requires_key && !hasStoredKey && !trimKey(values.api_key)) {
    problems.api_key = `${type.name} needs an API key`;
  }
  if (type?.requires_base_url && !values.base_url.trim()) {
    problems.base_url = "This type needs a base URL";
  }
  const priority = Number(values.priority);
  if (values.priority === "" || !Number.isInteger(priority) || priority < LOWEST_PRIORITY || priority > HIGHEST_PRIORITY) {
    problems.priority = `A whole number from ${LOWEST_PRIORITY} to ${HIGHEST_PRIORITY}`;
  }
  return problems;
}

/** The body that adds a provider; what was left blank is left to the server. */
export function addInput(values: ProviderValues): ProviderInput {
  const key = trimKey(values.api_key);
  const name = values.name.trim();
  const baseUrl = values.base_url.trim();
  return {
    type: values.type ?? "",
    ...(name && { name }),
    ...(key && { api_key: key }),
    ...(baseUrl && { base_url: baseUrl }),
    priority: Number(values.priority),
    auto_fallback: values.auto_fallback,
    enabled: values.enabled,
    allow_private_network: values.allow_private_network,
  };
}

/** Only what differs from the saved provider, so that nobody else's edit is overwritten. */
export function changeInput(values: ProviderValues, saved: Provider): ProviderChange {
  const before = valuesOf(saved);
  const change: ProviderChange = {};
  const key = trimKey(values.api_key);
  if (key) change.api_key = key;
  if (values.name.trim() !== before.name) change.name = values.name.trim();
  if (values.base_url.trim() !== before.base_url) change.base_url = values.base_url.trim();
  if (Number(values.priority) !== before.priority) change.priority = Number(values.priority);
  if (values.auto_fallback !== before.auto_fallback) change.auto_fallback = values.auto_fallback;
  if (values.enabled !== before.enabled) change.enabled = values.enabled;
  if (values.allow_private_network !== before.allow_private_network) {
    change.allow_private_network = values.allow_private_network;
  }
  return change;
}

/** The body of a test of what is typed; with a saved provider a blank key means the stored one. */
export function testInput(values: ProviderValues, providerId?: string): TestInput {
  const key = trimKey(values.api_key);
  const baseUrl = values.base_url.trim();
  return {
    type: values.type ?? "",
    ...(key && { api_key: key }),
    ...(baseUrl && { base_url: baseUrl }),
    allow_private_network: values.allow_private_network,
    ...(providerId && { provider_id: providerId }),
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
export function fieldOf(error: ApiError): keyof ProviderValues | null {
  return error.param && FIELDS.includes(error.param) ? (error.param as keyof ProviderValues) : null;
}
