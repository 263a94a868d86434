/** One colour per provider, the same on cards and on every chart. */

// Eight hues that stay apart for colour-blind readers; only one of them is red.
export const PALETTE = ["#0EA5A4", "#6366F1", "#B45309", "#0284C7", "#A21CAF", "#4D7C0F", "#BE123C", "#475569"];

/** What belongs to no provider, and the rest of many. */
export const OTHER_COLOR = "#94A3B8";

// For names that come without a colour: deleted providers, and readers who may not list providers.
const BRANDS: readonly [string, string][] = [
  ["openrouter", "#7C3AED"],
  ["openai", "#10A37F"],
  ["anthropic", "#D97706"],
  ["together", "#3B82F6"],
  ["hugging", "#F59E0B"],
  ["cohere", "#8B5CF6"],
  ["groq", "#06B6D4"],
  ["mistral", "#EC4899"],
];

/** The colour of a name that the API gave none for; the same name always gets the same one. */
export function colorOfName(name: string): string {
  const brand = BRANDS.find(([word]) => name.toLowerCase().includes(word));
  if (brand) return brand[1];
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) >>> 0;
  return PALETTE[hash % PALETTE.length]!;
}

function luminance(hex: string): number {
  const channel = (offset: number): number => {
    const value = Number.parseInt(hex.slice(offset, offset + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

/** White or near-black, whichever reads better on a #RRGGBB background. */
export function textColorOn(hex: string): string {
  // Equal contrast to white (1.05) and to that near-black (0.0565) lies at √(1.05 × 0.0565) − 0.05.
  return luminance(hex) > 0.194 ? "#10131a" : "#ffffff";
}
