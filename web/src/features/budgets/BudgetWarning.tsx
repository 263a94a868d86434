/** The top bar's word on budgets that are used up or about to be; nothing while all is well. */
import { Badge } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { useMay } from "@/features/session/queries";

import { budgetsQuery } from "./queries";
import { warning } from "./words";

export function BudgetWarning() {
  const reads = useMay("read gateway");
  const budgets = useQuery({ ...budgetsQuery, enabled: reads });
  const found = warning(budgets.data?.budgets ?? []);
  if (!reads || found === null) return null;
  return (
    <Badge
      color={found.color}
      component={Link}
      to="/admin/budgets"
      style={{ cursor: "pointer" }}
      visibleFrom="xs"
    >
      {found.text}
    </Badge>
  );
}
