/** Range and bucket; a click on the range that is already chosen asks for fresh figures. */
import { Button, Group, SegmentedControl } from "@mantine/core";

import { BUCKETS, PERIODS } from "@/app/search";
import type { Bucket } from "@/api/types";

import type { Range } from "./useRange";

interface RangeControlsProps {
  range: Range;
  onRefresh: () => void;
}

export function RangeControls({ range, onRefresh }: RangeControlsProps) {
  return (
    <Group gap="xs">
      <Button.Group {...{ role: "group", "aria-label": "Time range" }}>
        {PERIODS.map(({ value, label }) => (
          <Button
            key={value}
            size="xs"
            px={10}
            variant={range.period === value ? "filled" : "default"}
            aria-pressed={range.period === value}
            onClick={() => (range.period === value ? onRefresh() : range.choose({ period: value }))}
          >
            {label}
          </Button>
        ))}
      </Button.Group>
      <SegmentedControl
        size="xs"
        aria-label="Points of the chart"
        data={BUCKETS.map(({ value, label }) => ({ value, label }))}
        value={range.bucket}
        onChange={(bucket) => range.choose({ period: range.period, bucket: bucket as Bucket })}
      />
    </Group>
  );
}
