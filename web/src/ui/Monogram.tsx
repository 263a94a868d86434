/** A provider's initials in its own colour. */
import { Box } from "@mantine/core";

import { textColorOn } from "@/theme/providerColor";

interface MonogramProps {
  name: string;
  color: string;
  size?: number;
}

export function Monogram({ name, color, size = 36 }: MonogramProps) {
  const initials = name
    .replace(/\(.*?\)/g, "")
    .split(/[\s\-_.()]+/)
    .filter(Boolean)
    .slice(0, 2)
    .map((word) => word[0]!.toUpperCase())
    .join("");
  return (
    <Box
      aria-hidden
      w={size}
      h={size}
      fz={size * 0.38}
      fw={650}
      bg={color}
      c={textColorOn(color)}
      style={{ borderRadius: 8, display: "grid", placeItems: "center", flexShrink: 0, userSelect: "none" }}
    >
      {initials || "?"}
    </Box>
  );
}
