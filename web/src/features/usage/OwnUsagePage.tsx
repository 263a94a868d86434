/** The reader's own usage. */
import { Stack } from "@mantine/core";

import { OwnBudgetsPanel } from "@/features/budgets/OwnBudgetsPanel";
import { OwnPowerLevelPanel } from "@/features/power_levels/OwnPowerLevelPanel";
import { OwnPaidPanel } from "@/features/provider_keys/OwnPaidPanel";
import { PageHeader } from "@/ui/PageHeader";

import { UsagePanel } from "./UsagePanel";
import { useFreshFigures } from "./useFreshFigures";

export function OwnUsagePage() {
  useFreshFigures();
  return (
    <>
      <PageHeader title="My Usage" description="What your API keys called, and what it cost." />
      <Stack gap="lg">
        <UsagePanel of="own" />
        <OwnBudgetsPanel />
        <OwnPaidPanel />
        <OwnPowerLevelPanel />
      </Stack>
    </>
  );
}
