/** The models that a strategy or a level would ask now, first to last, with the price of each. */
import { Group, Text } from "@mantine/core";

import type { PickedModel } from "@/api/types";
import { money } from "@/format/format";

export function PicksNow({ models }: { models: PickedModel[] }) {
  return (
    <>
      <Text size="xs" c="dimmed" mt={2}>
        {models.length === 0 ? "Picks no model now: none is available." : "Picks now, first to last:"}
      </Text>
      {models.map((model) => (
        <Group key={`${model.provider} ${model.model}`} gap={6} wrap="nowrap" justify="space-between">
          <Text size="xs">
            {model.model}{" "}
            <Text component="span" inherit c="dimmed">
              {model.provider}
            </Text>
          </Text>
          <Text size="xs" className="oc-figures" style={{ flexShrink: 0, whiteSpace: "nowrap" }}>
            {money(model.blended_mtok)}
          </Text>
        </Group>
      ))}
    </>
  );
}
