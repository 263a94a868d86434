/** A relative time that keeps counting, with the instant in a tooltip. */
import { Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";

import { absoluteTime, relativeTime } from "@/format/format";

interface TimeAgoProps {
  at: string | null;
  never?: string;
}

export function TimeAgo({ at, never = "never" }: TimeAgoProps) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <>{never}</>;
  return (
    <Tooltip label={absoluteTime(at)}>
      <time dateTime={at} style={{ whiteSpace: "nowrap" }}>{relativeTime(at)}</time>
    </Tooltip>
  );
}
