/** What the figures of a request are called: its outcome, the lines of its price, and what was paid for it. */
import type { PriceLine, RequestRow } from "@/api/types";

interface Outcome {
  color: "green" | "yellow" | "red";
  label: string;
}

/** 2xx is fine, 4xx is the caller's or a limit, 5xx is the provider's or ours; 499 is a client that left. */
export function outcomeOf(status: number): Outcome {
  if (status === 499) return { color: "yellow", label: "Client left" };
  if (status < 400) return { color: "green", label: "OK" };
  return { color: status < 500 ? "yellow" : "red", label: String(status) };
}

/** provider_rate_limited → "provider rate limited". */
export function words(code: string): string {
  return code.replaceAll("_", " ");
}

const LINES: Record<PriceLine["what"], string> = {
  input: "Input",
  input_audio: "Sound in the input",
  input_image: "Pictures in the input",
  cache_read: "Input read from cache",
  cache_write: "Input written to cache",
  cache_write_1h: "Input written to cache for an hour",
  output: "Output",
  output_audio: "Sound in the output",
  reasoning: "Reasoning",
  input_audio_seconds: "Seconds of sound",
  web_search: "Web searches",
  web_search_preview: "Web searches (preview)",
  file_search: "File searches",
  request: "Fee per request",
};

export function lineName(what: PriceLine["what"]): string {
  return LINES[what];
}

/** What it cost, whoever paid: on a user's own key the platform pays nothing. */
export function paidFor(request: RequestRow): number | null {
  return request.own_cost_source ? request.own_cost_usd : request.cost_usd;
}
