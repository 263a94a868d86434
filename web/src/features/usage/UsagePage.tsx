/** The whole gateway's usage. */
import { Button } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";

import { PageHeader } from "@/ui/PageHeader";

import { UsagePanel } from "./UsagePanel";
import { useRange } from "./useRange";

export function UsagePage() {
  const { period } = useRange();
  return (
    <>
      <PageHeader
        title="Usage"
        description="Calls, tokens and cost of everything that went through the gateway. Figures refresh every 30 seconds."
        action={
          <Button
            component="a"
            href={`/api/v1/llm/usage/export?format=csv&period=${period}`}
            download
            variant="default"
            leftSection={<IconDownload size={16} />}
          >
            Export CSV
          </Button>
        }
      />
      <UsagePanel of="gateway" />
    </>
  );
}
