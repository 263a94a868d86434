/** Says that the figures on screen are old because the last refresh failed; gone as soon as one works. */
import { Alert, Button, Group, Text } from "@mantine/core";
import { IconCloudOff } from "@tabler/icons-react";

import { asApiError } from "@/api/request";
import { absoluteTime, relativeTime } from "@/format/format";

interface StaleNoticeProps {
  query: {
    isError: boolean;
    data: unknown;
    error: Error | null;
    dataUpdatedAt: number;
    isFetching: boolean;
    refetch: () => unknown;
  };
}

export function StaleNotice({ query }: StaleNoticeProps) {
  if (!query.isError || query.data === undefined) return null;
  const at = new Date(query.dataUpdatedAt).toISOString();
  return (
    <Alert color="yellow" role="status" icon={<IconCloudOff size={18} />} py="xs">
      <Group justify="space-between" gap="xs">
        <Text size="sm" title={absoluteTime(at)}>
          Old figures, from {relativeTime(at)}: {asApiError(query.error).message.toLowerCase()}. Trying again every 30
          seconds.
        </Text>
        <Button size="compact-xs" variant="default" loading={query.isFetching} onClick={() => void query.refetch()}>
          Retry
        </Button>
      </Group>
    </Alert>
  );
}
