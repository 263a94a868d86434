/** What models can do, until when, and where a value comes from, in words. */
import { dateOnly } from "@/format/format";

/** By the API's name; in the order in which a filter offers them. */
const CAPABILITIES: Readonly<Record<string, string>> = {
  chat: "Chat",
  tools: "Tools",
  vision: "Images in",
  structured_output: "Structured output",
  reasoning: "Reasoning",
  prompt_caching: "Prompt caching",
  pdf: "Files in",
  audio_input: "Sound in",
  embedding: "Embeddings",
  image_generation: "Images out",
  audio: "Live sound",
  speech: "Speech out",
  transcription: "Transcription",
  moderation: "Moderation",
  rerank: "Reranking",
  responses_only: "Responses API only",
};

export const capabilityLabel = (name: string): string => CAPABILITIES[name] ?? name.replaceAll("_", " ");

export const CAPABILITY_OPTIONS = Object.entries(CAPABILITIES).map(([value, label]) => ({ value, label }));

const SOON_MS = 30 * 24 * 3600 * 1000;

/** "Retires on Jan 3, 2027"; `soon` within thirty days, and afterwards. A day is one wherever the reader is. */
export function retirement(day: string | null, now: number = Date.now()): { label: string; soon: boolean } {
  if (day === null) return { label: "Deprecated", soon: false };
  const left = Date.parse(day) - now;
  return { label: `${left < 0 ? "Retired on" : "Retires on"} ${dateOnly(`${day}T12:00:00`)}`, soon: left < SOON_MS };
}

/** "override" → "set by an administrator"; a catalogue's name and date stay as they are. */
export function sourceLabel(source: string | undefined): string {
  switch (source) {
    case undefined:
      return "no source knows it";
    case "override":
      return "set by an administrator";
    case "provider":
      return "the provider's own list";
    case "name":
      return "guessed from its name";
    default:
      return source.replace(/^provider /, "the provider's own list, ").replace(/^openrouter /, "OpenRouter ");
  }
}
