/** How much of a budget is gone, as a figure and as a bar. */
import { Progress, Stack, Text, Tooltip } from "@mantine/core";

import type { Budget } from "@/api/types";
import { estimatedPart, money, moneyExact, plural, share } from "@/format/format";

import { urgency } from "./words";

export function SpentBar({ budget }: { budget: Budget }) {
  const label = `${money(budget.spent_usd)} of ${money(budget.amount_usd)} spent`;
  return (
    <Stack gap={4} miw={150}>
      <Tooltip label={`${moneyExact(budget.spent_usd)} of ${moneyExact(budget.amount_usd)}`}>
        <Text size="sm" tabIndex={0}>
          {money(budget.spent_usd)} · {share(budget.share)}
        </Text>
      </Tooltip>
      <Progress.Root size="sm">
        <Progress.Section value={Math.min(100, budget.share * 100)} color={urgency(budget)} aria-label={label} />
      </Progress.Root>
      {budget.estimated_share > 0 && (
        <Text size="xs" c="dimmed">
          {estimatedPart(budget.estimated_share)}
        </Text>
      )}
      {budget.unknown_cost_requests > 0 && (
        <Text size="xs" c="dimmed">
          and {plural(budget.unknown_cost_requests, "request")} of unknown cost
        </Text>
      )}
    </Stack>
  );
}
