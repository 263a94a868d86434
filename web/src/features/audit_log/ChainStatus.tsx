/** Whether every entry of the audit log is what was written, and up to which one. */
import { Alert, Button, Group, Text } from "@mantine/core";
import { IconAlertTriangle, IconLink } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import { count } from "@/format/format";
import { CopyButton } from "@/ui/CopyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { TimeAgo } from "@/ui/TimeAgo";

import { verificationQuery } from "./queries";

export function ChainStatus() {
  const { data, isError, error, isFetching, refetch } = useQuery(verificationQuery);
  if (isError && !data) {
    return (
      <ProblemAlert
        error={asApiError(error)}
        title="The chain could not be verified"
        onRetry={() => void refetch()}
      />
    );
  }
  if (!data) {
    return (
      <Text size="sm" c="dimmed">
        Verifying every entry…
      </Text>
    );
  }
  const again = (
    <Button size="xs" variant="default" loading={isFetching} onClick={() => void refetch()}>
      Verify Again
    </Button>
  );
  if (!data.intact) {
    return (
      <Alert color="red" icon={<IconAlertTriangle size={18} />} title="The chain is broken">
        <Text size="sm" mb="xs">
          {data.problem}. Entries up to number {count(data.sequence)} are in order; what comes after was changed outside
          of Ops-Center.
        </Text>
        {again}
      </Alert>
    );
  }
  return (
    <Group gap="sm" role="status">
      <IconLink size={16} aria-hidden />
      <Text size="sm">
        {data.at ? (
          <>
            Chain intact up to entry {count(data.sequence)}, <TimeAgo at={data.at} />
          </>
        ) : (
          "Chain intact: no entry yet"
        )}
      </Text>
      {data.at && <CopyButton text={`${data.sequence}:${data.hash}`} label="Copy Number and Hash" />}
      {again}
    </Group>
  );
}
