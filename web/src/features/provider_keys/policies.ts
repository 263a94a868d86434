/** The policies over own keys, in words for the user and for the admin. */
import type { ByokPolicy, KeyStatus } from "@/api/types";

export const POLICIES: readonly { value: ByokPolicy; label: string; meaning: string; forUser: string }[] = [
  {
    value: "byok_then_shared",
    label: "Own keys, then shared",
    meaning: "A user's own key where there is one, the platform's elsewhere.",
    forUser: "Your own key is used where you have one, the platform's elsewhere.",
  },
  {
    value: "byok_only",
    label: "Own keys only",
    meaning: "Users without an own key for a provider are refused there.",
    forUser: "Only your own keys are used: where you have none, requests are refused.",
  },
  {
    value: "shared_then_byok",
    label: "Shared, then own keys",
    meaning: "The platform's key first, the user's own when it fails.",
    forUser: "The platform's key is used first, and yours when it fails.",
  },
  {
    value: "shared_only",
    label: "Shared only",
    meaning: "Own keys are left aside.",
    forUser: "Only the platform's keys are used at present; yours are left aside.",
  },
];

export const STATUS: Record<KeyStatus, { label: string; color: "green" | "yellow" | "red" | "gray" }> = {
  working: { label: "Working", color: "green" },
  unproven: { label: "Not proven yet", color: "yellow" },
  failing: { label: "Refused", color: "red" },
  disabled: { label: "Disabled", color: "gray" },
};
