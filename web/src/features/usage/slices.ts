/** The pie's slices: the eight dearest providers, and the rest as "Other". */
import type { OwnUsage } from "@/api/types";

export type Slice = OwnUsage["cost_by_provider"][number];

export const OTHER = "Other";
const MOST_SLICES = 8;

export function slicesOf(costByProvider: OwnUsage["cost_by_provider"]): Slice[] {
  if (costByProvider.length <= MOST_SLICES) return costByProvider;
  const rest = costByProvider.slice(MOST_SLICES);
  return [
    ...costByProvider.slice(0, MOST_SLICES),
    {
      provider: OTHER,
      cost_usd: rest.reduce((sum, slice) => sum + slice.cost_usd, 0),
      estimated_cost_usd: rest.reduce((sum, slice) => sum + slice.estimated_cost_usd, 0),
      share: rest.reduce((sum, slice) => sum + slice.share, 0),
      calls: rest.reduce((sum, slice) => sum + slice.calls, 0),
      unknown_cost_calls: rest.reduce((sum, slice) => sum + slice.unknown_cost_calls, 0),
    },
  ];
}
