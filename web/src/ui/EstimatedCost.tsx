/** A sum of costs, with how much of it is estimated beneath. */
import { Text } from "@mantine/core";

import { estimatedPart } from "@/format/format";

interface EstimatedCostProps {
  /** The sum as it reads. */
  text: string;
  /** Every digit of it. */
  exact?: string;
  part: number;
}

export function EstimatedCost({ text, exact, part }: EstimatedCostProps) {
  return (
    <>
      <span title={exact}>{text}</span>
      {part > 0 && (
        <Text size="xs" c="dimmed" component="div" style={{ whiteSpace: "nowrap" }}>
          {estimatedPart(part)}
        </Text>
      )}
    </>
  );
}
