/** A failure in place: what failed, the hint if there is one, and a way to try again. */
import { Alert, Button, Text } from "@mantine/core";
import { IconAlertCircle, IconRefresh } from "@tabler/icons-react";

import type { ApiError } from "@/api/request";

interface ProblemAlertProps {
  error: ApiError;
  /** What could not be done, e.g. "The providers could not be loaded". */
  title?: string;
  onRetry?: () => void;
}

export function ProblemAlert({ error, title, onRetry }: ProblemAlertProps) {
  return (
    <Alert color="red" variant="light" icon={<IconAlertCircle size={18} />} title={title}>
      <Text size="sm" fw={title ? 400 : 560}>
        {error.message}
      </Text>
      {error.hint && <Text size="sm">{error.hint}</Text>}
      {error.retryAfterSeconds && (
        <Text size="sm">Try again in {Math.ceil(error.retryAfterSeconds / 60)} min.</Text>
      )}
      {onRetry && (
        <Button
          size="xs"
          mt="sm"
          variant="default"
          leftSection={<IconRefresh size={14} />}
          onClick={onRetry}
        >
          Retry
        </Button>
      )}
    </Alert>
  );
}
