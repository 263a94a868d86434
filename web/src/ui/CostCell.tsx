/** A cost with where it came from; an unknown one says so and is never a zero. */
import { Text, Tooltip } from "@mantine/core";

import type { CostSource } from "@/api/types";
import { money, moneyExact } from "@/format/format";

const SOURCES: Record<CostSource, string> = {
  provider: "Billed by the provider and reported in its answer.",
  computed: "Measured tokens times the known price.",
  estimated: "Estimated.",
  unknown: "No price is known for this model.",
};

interface CostCellProps {
  usd: number | null;
  source: CostSource;
  note?: string | null;
  priceSource?: string | null;
  pricedLater?: boolean;
}

export function CostCell({ usd, source, note, priceSource, pricedLater = false }: CostCellProps) {
  const why = [
    usd === null ? null : moneyExact(usd) + ".",
    SOURCES[source],
    note,
    priceSource && `Price from ${priceSource}.`,
    pricedLater && "Priced after the request was made.",
  ]
    .filter(Boolean)
    .join(" ");
  return (
    <Tooltip label={why}>
      <Text component="span" size="sm" c={usd === null ? "dimmed" : undefined} className="oc-figures">
        {money(usd)}
        {source === "estimated" && usd !== null ? " est." : ""}
      </Text>
    </Tooltip>
  );
}
