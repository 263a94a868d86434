/** The reader's own usage. */
import { PageHeader } from "@/ui/PageHeader";

import { UsagePanel } from "./UsagePanel";

export function OwnUsagePage() {
  return (
    <>
      <PageHeader title="My usage" description="What your API keys called, and what it cost." />
      <UsagePanel of="own" />
    </>
  );
}
