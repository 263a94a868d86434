/** How money, tokens, durations, instants and shares read, everywhere in the console; words only, no markup. */

const LOCALE = "en-US";
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What stands where a value is not known; never a zero. */
export const UNKNOWN = "unknown";

function decimals(value: number, minimum: number, maximum: number): string {
  return value.toLocaleString(LOCALE, {
    minimumFractionDigits: minimum,
    maximumFractionDigits: maximum,
  });
}

/** 12345 → "12.3k", 3100000 → "3.1M"; one digit after the point, none when it would be a zero. */
function compact(value: number): string {
  const units: [number, string][] = [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [size, unit] of units) {
    // 999,950 rounds to 1,000.0k: it belongs to the next unit.
    if (Math.abs(value) >= size * 0.99995) return decimals(value / size, 0, 1) + unit;
  }
  return decimals(value, 0, 0);
}

/** A sum in USD with as many digits as it needs: $0.0004, $12.40, $12.4k; null is "unknown". */
export function money(usd: number | null | undefined): string {
  if (usd === null || usd === undefined || !Number.isFinite(usd)) return UNKNOWN;
  const sign = usd < 0 ? "-" : "";
  const amount = Math.abs(usd);
  if (amount === 0) return "$0";
  if (amount >= 10_000) return `${sign}$${compact(amount)}`;
  if (amount >= 0.1) return `${sign}$${decimals(amount, 2, 2)}`;
  // Below ten cents two significant digits, and never fewer places than cents have.
  const places = Math.min(12, Math.max(2, 1 - Math.floor(Math.log10(amount))));
  return `${sign}$${decimals(amount, 2, places)}`;
}

/** A sum beside `unpriced` calls whose cost nobody knows: never a $0 that is really "unknown", "$12.40 +" otherwise. */
export function moneyWithUnknown(usd: number | null | undefined, unpriced: number): string {
  if (unpriced === 0) return money(usd);
  return usd ? `${money(usd)} +` : UNKNOWN;
}

/** How much of a cost is estimated, as in "12% estimated"; nothing where nothing is. */
export function estimatedPart(part: number | null | undefined): string | null {
  return part ? `${share(part)} estimated` : null;
}

/** Every digit we hold, for tooltips: $12,432.5581. */
export function moneyExact(usd: number | null | undefined): string {
  if (usd === null || usd === undefined || !Number.isFinite(usd)) return UNKNOWN;
  return `${usd < 0 ? "-" : ""}$${decimals(Math.abs(usd), 2, 12)}`;
}

/** USD per million tokens: "$0.20 / 1M". */
export function pricePerMtok(usd: number | null | undefined): string {
  const text = money(usd);
  return text === UNKNOWN ? UNKNOWN : `${text} / 1M`;
}

/** Calls, tokens, models: whole below ten thousand (9,876), short above (12.4k, 3.1M). */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return Math.abs(value) < 10_000 ? decimals(value, 0, 0) : compact(value);
}

/** The same number with all its digits: 12,432. */
export function countExact(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : decimals(value, 0, 0);
}

/** "1 call", "2 calls". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Milliseconds as read: 142 ms, 2.4 s, 3 min 12 s. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms > 0 && ms < 1) return "<1 ms";
  if (Math.round(ms) < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${decimals(ms / 1000, 0, 1)} s`;
  const seconds = Math.round(ms / 1000);
  const rest = seconds % MINUTE;
  return `${Math.floor(seconds / MINUTE)} min${rest ? ` ${rest} s` : ""}`;
}

/** "just now", "2 min ago", "3 h ago", "5 d ago", "in 4 d"; beyond 60 days the date. */
export function relativeTime(iso: string | null | undefined, now: number = Date.now()): string {
  if (!iso) return "never";
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return UNKNOWN;
  const seconds = Math.round((now - at) / 1000);
  const distance = Math.abs(seconds);
  if (distance < 10) return "just now";
  if (distance > 60 * DAY) return dateOnly(iso);
  let words: string;
  if (distance < MINUTE) words = `${distance} s`;
  else if (distance < HOUR) words = `${Math.floor(distance / MINUTE)} min`;
  else if (distance < DAY) words = `${Math.floor(distance / HOUR)} h`;
  else words = `${Math.floor(distance / DAY)} d`;
  return seconds >= 0 ? `${words} ago` : `in ${words}`;
}

/** The instant in the reader's own zone: "Nov 23, 2026, 14:05:09". */
export function absoluteTime(iso: string | null | undefined): string {
  if (!iso || Number.isNaN(Date.parse(iso))) return UNKNOWN;
  return new Date(iso).toLocaleString(LOCALE, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

/** The day in the reader's own zone: "Nov 23, 2026". */
export function dateOnly(iso: string, timeZone?: string): string {
  return new Date(iso).toLocaleDateString(LOCALE, { year: "numeric", month: "short", day: "numeric", timeZone });
}

/** The day on the calendar of a zone: "Nov 30". */
export function dayIn(iso: string, timeZone: string): string {
  return new Date(iso).toLocaleDateString(LOCALE, { month: "short", day: "numeric", timeZone });
}

/** The last day of a span that ends the moment before `iso`, on the calendar of a zone: "Nov 30, 2026". */
export function lastDayBefore(iso: string, timeZone: string): string {
  return dateOnly(new Date(Date.parse(iso) - 1).toISOString(), timeZone);
}

/** The start of a bucket as an axis reads it, on the calendar of the zone it was cut by. */
export function bucketLabel(iso: string, bucket: "hour" | "day" | "week" | "month", timeZone: string): string {
  const options: Intl.DateTimeFormatOptions =
    bucket === "month"
      ? { month: "short", year: "numeric" }
      : bucket === "hour"
        ? { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
        : { month: "short", day: "numeric" };
  const label = (at: number, more: Intl.DateTimeFormatOptions = {}): string =>
    new Date(at).toLocaleString(LOCALE, { ...options, ...more, timeZone });
  const start = Date.parse(iso);
  const text = label(start);
  // An hour that the clock shows twice is told from its double by how far it is from UTC.
  const twice = bucket === "hour" && [start - HOUR * 1000, start + HOUR * 1000].some((other) => label(other) === text);
  return twice ? label(start, { timeZoneName: "shortOffset" }) : text;
}

/** A share of one: 0.1234 → "12.3%". */
export function share(value: number): string {
  if (value > 0 && value < 0.001) return "<0.1%";
  return `${decimals(value * 100, 0, 1)}%`;
}

/** A score of 0 to 100, the same number of digits wherever it stands: 43.0, 42.4. */
export function score(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : decimals(value, 1, 1);
}

/** A change in percent with its sign: "+8%", "-5.2%", "0%"; "×21" where it is more than tenfold, which nobody reads as +2,000%. */
export function change(percent: number): string {
  if (percent >= 1000) return `×${decimals(percent / 100 + 1, 0, 0)}`;
  const digits = Math.abs(percent) < 10 ? 1 : 0;
  const text = decimals(percent, 0, digits);
  if (text === "0" || text === "-0") return "0%";
  return `${percent > 0 ? "+" : ""}${text}%`;
}
