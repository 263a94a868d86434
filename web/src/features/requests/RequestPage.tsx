/** A request on a page of its own, so that it has an address. */
import { Anchor, Button, Group, Skeleton, Tooltip } from "@mantine/core";
import { IconArrowLeft, IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { requestQuery } from "./queries";
import { RequestView } from "./RequestView";

export function RequestPage() {
  const { id } = useParams({ from: "/signed-in/admin/requests/$id" });
  const query = useQuery(requestQuery(id));
  return (
    <>
      <PageHeader
        title="Request"
        description="The whole way of one request: how it was routed, who was asked, and what it cost."
        action={
          <Group gap="md">
            <Anchor component={Link} to="/admin/requests" size="sm" style={{ display: "inline-flex", alignItems: "center", gap: 4 }}>
              <IconArrowLeft size={14} /> All requests
            </Anchor>
            {query.data && (
              <Tooltip label="For a bug report: the request, its plan and the routing of then. No secret, no prompt, nobody's name.">
                <Button
                  component="a"
                  variant="default"
                  leftSection={<IconDownload size={16} />}
                  href={`/api/v1/llm/requests/${encodeURIComponent(id)}/bundle`}
                  download
                >
                  Bundle
                </Button>
              </Tooltip>
            )}
          </Group>
        }
      />
      {query.isPending && <Skeleton height={420} />}
      {query.isError && (
        <ProblemAlert
          error={asApiError(query.error)}
          title="The request could not be loaded"
          onRetry={() => void query.refetch()}
        />
      )}
      {query.data && <RequestView key={query.data.id} request={query.data} />}
    </>
  );
}
