/** Differences between two configurations of routing, one line each; long lists open on demand. */
import { Button, List, Stack, Text } from "@mantine/core";
import { useState } from "react";

import type { RoutingDifference } from "@/api/types";

const SHOWN = 12;

interface ChangeListProps {
  changes: RoutingDifference[];
  /** How many there are; more than are in the list when the server has cut it. */
  total: number;
  nothing: string;
}

export function ChangeList({ changes, total, nothing }: ChangeListProps) {
  const [all, setAll] = useState(false);
  if (total === 0) {
    return (
      <Text size="sm" c="dimmed">
        {nothing}
      </Text>
    );
  }
  const shown = all ? changes : changes.slice(0, SHOWN);
  return (
    <Stack gap="xs">
      <List size="sm" spacing={2}>
        {shown.map((change) => (
          <List.Item key={`${change.area} ${change.subject} ${change.field}`} style={{ overflowWrap: "anywhere" }}>
            {change.text}
          </List.Item>
        ))}
      </List>
      {changes.length > shown.length && (
        <Button variant="subtle" size="compact-xs" onClick={() => setAll(true)} style={{ alignSelf: "flex-start" }}>
          Show all {changes.length}
        </Button>
      )}
      {all && total > changes.length && (
        <Text size="xs" c="dimmed">
          {total - changes.length} more are not shown.
        </Text>
      )}
    </Stack>
  );
}
