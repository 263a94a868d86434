/** This period against the one before: an arrow for more or less, a colour, and the words for both. */
import { Group, Text, Tooltip } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconMinus } from "@tabler/icons-react";

import { change } from "@/format/format";

interface TrendProps {
  /** Percent; null where the previous period had nothing to compare with. */
  percent: number | null;
  against?: string;
  /** What less is good of, such as cost, is green where it falls; else green is more, as on the cards. */
  lessIsGood?: boolean;
}

export function Trend({ percent, against = "vs previous 30 days", lessIsGood = false }: TrendProps) {
  if (percent === null) {
    return (
      <Text size="xs" c="dimmed">
        no baseline yet
      </Text>
    );
  }
  const words = change(percent);
  const direction = words === "0%" ? 0 : Math.sign(percent);
  const Arrow = direction > 0 ? IconArrowUp : direction < 0 ? IconArrowDown : IconMinus;
  const color = direction === 0 ? "gray" : direction > 0 === lessIsGood ? "red" : "green";
  const meaning = lessIsGood ? "Green and down means less, red and up means more." : "Green and up means more, red and down means less.";
  return (
    <Tooltip label={`${words} ${against}. ${meaning}`}>
      <Group gap={4} wrap="nowrap" tabIndex={0} role="note">
        <Text component="span" size="xs" fw={560} c={`light-dark(var(--mantine-color-${color}-7), var(--mantine-color-${color}-4))`}>
          <Arrow size={13} stroke={2.4} style={{ verticalAlign: "-2px" }} aria-label={direction > 0 ? "up" : direction < 0 ? "down" : "unchanged"} />{" "}
          {words}
        </Text>
        <Text component="span" size="xs" c="dimmed">
          {against}
        </Text>
      </Group>
    </Tooltip>
  );
}
