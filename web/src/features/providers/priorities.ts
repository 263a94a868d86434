/** What a place in the list means in numbers: 1 to 100, higher is asked first, equals share. */

export const LOWEST = 1;
export const HIGHEST = 100;
const STEP = 10;

interface Placed {
  id: string;
  priority: number;
}

/**
 * The priorities that change when the one at `from` is put at `to`, in a list from the highest priority down.
 * Between two equals it becomes their equal; between others it takes a number between theirs, and where there is
 * none, the levels are spread anew over the whole range.
 */
export function moved(list: readonly Placed[], from: number, to: number): Record<string, number> {
  const item = list[from];
  if (!item || from === to) return {};
  const rest = list.filter((one) => one !== item);
  const above = rest[to - 1]?.priority;
  const below = rest[to]?.priority;
  const priority = between(above, below);
  if (priority !== null) return priority === item.priority ? {} : { [item.id]: priority };
  // No number is free: every level gets a new one, the moved one a level of its own.
  const levels: Placed[][] = [];
  rest.forEach((one, place) => {
    if (place === to) levels.push([item]);
    const last = levels.at(-1);
    if (last && !last.includes(item) && last[0]?.priority === one.priority) last.push(one);
    else levels.push([one]);
  });
  if (to >= rest.length) levels.push([item]);
  const changed: Record<string, number> = {};
  levels.forEach((level, place) => {
    const spread = Math.round(HIGHEST - ((HIGHEST - LOWEST) * (place + 1)) / (levels.length + 1));
    for (const one of level) if (one.priority !== spread) changed[one.id] = spread;
  });
  return changed;
}

function between(above: number | undefined, below: number | undefined): number | null {
  if (above === undefined && below === undefined) return null;
  if (above === undefined) return below! < HIGHEST ? Math.min(HIGHEST, below! + STEP) : null;
  if (below === undefined) return above > LOWEST ? Math.max(LOWEST, above - STEP) : null;
  if (above === below) return above;
  return above - below > 1 ? Math.floor((above + below) / 2) : null;
}
