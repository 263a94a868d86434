/** A provider's state in one word and one colour. */
import type { Provider } from "@/api/types";

interface Health {
  color: "green" | "yellow" | "red" | "gray";
  label: string;
  reason: string | null;
}

const WORDS = {
  healthy: { color: "green", label: "Healthy" },
  degraded: { color: "yellow", label: "Degraded" },
  down: { color: "red", label: "Down" },
  unknown: { color: "gray", label: "Not tried yet" },
} as const;

export function healthOf(provider: Pick<Provider, "enabled" | "health">): Health {
  if (!provider.enabled) {
    return { color: "gray", label: "Disabled", reason: "Gets no traffic until it is enabled in Configure." };
  }
  return { ...WORDS[provider.health.status], reason: provider.health.reason };
}
