/** A request's outcome in a word and a colour. */

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
