/** One request beside the list: its facts and attempts, and the way to all the rest. */
import { Drawer, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { asApiError } from "@/api/request";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { requestQuery } from "./queries";
import { RequestView } from "./RequestView";

interface RequestDrawerProps {
  id: string | undefined;
  onClose: () => void;
}

export function RequestDrawer({ id, onClose }: RequestDrawerProps) {
  return (
    <Drawer
      opened={id !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title="Request"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {id && <Details id={id} />}
    </Drawer>
  );
}

function Details({ id }: { id: string }) {
  const query = useQuery(requestQuery(id));
  if (query.isPending) return <Skeleton height={320} />;
  if (query.isError) {
    return (
      <ProblemAlert
        error={asApiError(query.error)}
        title="The request could not be loaded"
        onRetry={() => void query.refetch()}
      />
    );
  }
  return <RequestView request={query.data} short />;
}
