// @vitest-environment jsdom
import "@/test/setup";

import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { createQueryClient } from "@/api/queryClient";
import type { ProviderType } from "@/api/types";

import { AddProviderDialog } from "./AddProviderDialog";

const OPENROUTER: ProviderType = {
  type: "openrouter",
  name: "OpenRouter",
  description: "One key for models of every maker",
  color: "#7C3AED",
  get_key_url: "https://openrouter.ai/keys",
  key_prefix: "sk-or-v1-",
  recommended_for: "cost optimization",
  cost_range: { min_usd: 0.2, max_usd: 2 },
  default_base_url: "https://openrouter.ai/api/v1",
  requires_base_url: false,
  requires_key: true,
        key_help: null,
        option_fields: [],
  local: false,
  models_count: 50,
  takes_base_url: true,
  missing: null,
  how_to_get: null,
};
const OLLAMA: ProviderType = {
  ...OPENROUTER,
  type: "ollama",
  name: "Ollama",
  get_key_url: null,
  key_prefix: null,
  recommended_for: null,
  cost_range: null,
  default_base_url: "http://127.0.0.1:11434/v1",
  requires_key: false,
  local: true,
};

const LITELLM: ProviderType = {
  ...OLLAMA,
  type: "litellm",
  name: "LiteLLM (any provider)",
  default_base_url: null,
  local: false,
  takes_base_url: false,
  missing: "LiteLLM's SDK is not installed",
  how_to_get: "Run pip install 'ops-center[litellm]' and start the server again.",
  option_fields: [
    { name: "models", label: "Models", required: true, default: "", placeholder: "", help: "LiteLLM's model strings" },
  ],
};

let posted: unknown[] = [];

const api = setupServer(
  http.get("*/api/v1/llm/provider-types", () => HttpResponse.json({ provider_types: [OPENROUTER, OLLAMA, LITELLM] })),
  http.post("*/api/v1/llm/test", async ({ request }) => {
    const { api_key } = (await request.json()) as { api_key: string };
    return HttpResponse.json(
      api_key === "sk-or-v1-good"
        ? { success: true, latency_ms: 142, message: "Connection successful! (142ms)" }
        : {
            success: false,
            latency_ms: null,
            message: "Invalid API key",
            error_type: "invalid_api_key",
            hint: "Check for typos and extra spaces.",
          },
    );
  }),
  http.post("*/api/v1/llm/providers", async ({ request }) => {
    const body = (await request.json()) as { name?: string };
    if (body.name === "Taken") {
      return HttpResponse.json(
        { error: { type: "conflict", message: "Another provider has this name", param: "name" } },
        { status: 409 },
      );
    }
    posted.push(body);
    return HttpResponse.json({ id: "prov_1" }, { status: 201 });
  }),
);

beforeAll(() => api.listen({ onUnhandledFrame: "error" }));
beforeEach(() => {
  posted = [];
});
afterEach(() => api.resetHandlers());
afterAll(() => api.close());

async function openDialog(key: string) {
  const user = userEvent.setup({ pointerEventsCheck: 0 });
  const onClose = vi.fn<() => void>();
  const client = createQueryClient({ onSignedOut: () => {}, onSecondFactorMissing: () => {} });
  const dialog = (opened: boolean) => (
    <MantineProvider env="test">
      <QueryClientProvider client={client}>
        <AddProviderDialog opened={opened} onClose={onClose} />
      </QueryClientProvider>
    </MantineProvider>
  );
  const { rerender } = render(dialog(true));
  const reopen = (): void => {
    rerender(dialog(false));
    rerender(dialog(true));
  };
  await user.click(await screen.findByRole("combobox", { name: "Provider Type" }));
  await user.click(await screen.findByRole("option", { name: "OpenRouter" }));
  await user.click(screen.getByLabelText("API Key"));
  await user.paste(key);
  return { user, onClose, reopen };
}

const button = (name: string): HTMLElement => screen.getByRole("button", { name });

test("a proven key is trimmed and saved", async () => {
  const { user, onClose } = await openDialog('  "sk-or-v1-good" ');
  await user.click(button("Test Connection"));
  expect((await screen.findByRole("alert")).textContent).toContain("✅ Connection successful! (142ms)");
  await user.click(button("Add Provider"));
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(posted).toMatchObject([{ type: "openrouter", api_key: "sk-or-v1-good", priority: 50 }]);
});

test("a failed test keeps Add Provider from saving; Add Anyway saves", async () => {
  const { user, onClose } = await openDialog("sk-or-v1-bad");
  await user.click(button("Test Connection"));
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("❌ Invalid API key");
  expect(alert.textContent).toContain("Check for typos");
  await user.click(button("Add Provider"));
  expect(posted).toEqual([]);
  expect(document.activeElement).toBe(button("Add Anyway"));
  await user.click(button("Add Anyway"));
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(posted).toHaveLength(1);
});

test("a result goes when the key that it was about is changed", async () => {
  const { user } = await openDialog("sk-or-v1-bad");
  await user.click(button("Test Connection"));
  await screen.findByRole("alert");
  await user.type(screen.getByLabelText("API Key"), "2");
  expect(screen.queryByRole("alert")).toBeNull();
  expect(screen.queryByRole("button", { name: "Add Anyway" })).toBeNull();
});

test("a refused save stays open, names the field and keeps what was typed", async () => {
  const { user, onClose } = await openDialog("sk-or-v1-good");
  await user.type(screen.getByLabelText("Name"), "Taken");
  await user.click(button("Add Provider"));
  expect(await screen.findByText("Another provider has this name")).toBeTruthy();
  expect(onClose).not.toHaveBeenCalled();
  expect((screen.getByLabelText("Name") as HTMLInputElement).value).toBe("Taken");
  expect((screen.getByLabelText("API Key") as HTMLInputElement).value).toBe("sk-or-v1-good");
});

test("a server that is away is said in place and loses nothing", async () => {
  const { user, onClose } = await openDialog("sk-or-v1-good");
  api.use(http.post("*/api/v1/llm/providers", () => HttpResponse.error()));
  await user.click(button("Add Provider"));
  expect((await screen.findByRole("alert")).textContent).toContain("The server did not answer");
  expect(onClose).not.toHaveBeenCalled();
});

test("a server of one's own asks for no key and may be on a private network", async () => {
  const { user, onClose } = await openDialog("");
  await user.click(screen.getByRole("combobox", { name: "Provider Type" }));
  await user.click(await screen.findByRole("option", { name: "Ollama" }));
  expect(screen.getByRole("switch", { name: /Allow private network address/ })).toHaveProperty("checked", true);
  await user.click(button("Add Provider"));
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(posted).toMatchObject([{ type: "ollama", allow_private_network: true }]);
});

async function choose(user: ReturnType<typeof userEvent.setup>, name: string): Promise<void> {
  await user.click(screen.getByRole("combobox", { name: "Provider Type" }));
  await user.click(await screen.findByRole("option", { name }));
}

test("what was typed is there again after a slip of Esc, and gone after Cancel", async () => {
  const { user, onClose, reopen } = await openDialog("sk-or-v1-good");
  await user.type(screen.getByLabelText("Name"), "Main");
  await user.keyboard("{Escape}");
  expect(onClose).toHaveBeenCalledOnce();
  reopen();
  expect(((await screen.findByLabelText("Name")) as HTMLInputElement).value).toBe("Main");
  expect((screen.getByLabelText("API Key") as HTMLInputElement).value).toBe("sk-or-v1-good");
  await user.click(button("Cancel"));
  reopen();
  expect(((await screen.findByLabelText("Name")) as HTMLInputElement).value).toBe("");
});

test("a type whose package is missing says how to get it, and cannot be added", async () => {
  const { user } = await openDialog("");
  await choose(user, "LiteLLM (any provider)");
  expect(screen.getByRole("note").textContent).toContain("pip install 'ops-center[litellm]'");
  expect(button("Add Provider")).toHaveProperty("disabled", true);
  expect(button("Test Connection")).toHaveProperty("disabled", true);
  expect(screen.queryByLabelText("Base URL")).toBeNull();
});

test("another type keeps what was typed for the first", async () => {
  const { user } = await openDialog("");
  await choose(user, "LiteLLM (any provider)");
  await user.type(screen.getByLabelText("Models"), "watsonx/x");
  await choose(user, "OpenRouter");
  expect(screen.getByText(/OpenRouter: recommended for cost optimization/)).toBeTruthy();
  await choose(user, "LiteLLM (any provider)");
  expect((screen.getByLabelText("Models") as HTMLInputElement).value).toBe("watsonx/x");
});
