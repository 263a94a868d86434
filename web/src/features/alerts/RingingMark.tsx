/** How many alerts ring, as a mark in the side bar; nothing while none does. */
import { Badge } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { plural } from "@/format/format";

import { ringingQuery } from "./queries";

export function RingingMark() {
  const { data: ringing = 0 } = useQuery(ringingQuery);
  if (ringing === 0) return null;
  return (
    <Badge color="red" variant="filled" size="sm" miw={20} px={6} aria-label={plural(ringing, "alert rings", "alerts ring")}>
      {ringing}
    </Badge>
  );
}
