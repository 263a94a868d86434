/** What a connection test said, in one alert; a screen reader hears it when it arrives. */
import { Alert, CloseButton, Group, Text } from "@mantine/core";
import { IconCircleCheckFilled, IconCircleXFilled } from "@tabler/icons-react";

import type { ApiError } from "@/api/request";
import type { TestResult } from "@/api/types";
import { plural } from "@/format/format";

import classes from "./TestResultAlert.module.css";

interface TestResultAlertProps {
  result: TestResult | null;
  /** The call itself failed, so there is no result. */
  error?: ApiError | null;
  onDismiss?: () => void;
}

export function TestResultAlert({ result, error, onDismiss }: TestResultAlertProps) {
  if (!result && !error) return null;
  const success = result?.success ?? false;
  const Icon = success ? IconCircleCheckFilled : IconCircleXFilled;
  const message = result?.message ?? `The test could not be run: ${error!.message}`;
  const hint = result ? result.hint : error!.hint;
  return (
    <Alert color={success ? "green" : "red"} py="xs" px="sm">
      <Group wrap="nowrap" align="flex-start" justify="space-between" gap="xs">
        <div>
          <Text size="sm" fw={560}>
            <Icon size={16} aria-hidden style={{ verticalAlign: "-3px" }} />{" "}
            {/* The sign as text too, for who copies or hears it; not every machine has a font that draws it. */}
            <span className={classes.sign}>{success ? "✅" : "❌"}</span> {message}
          </Text>
          {hint && <Text size="sm">{hint}</Text>}
          {success && result?.models_found ? <Text size="sm">{plural(result.models_found, "model")} found.</Text> : null}
        </div>
        {onDismiss && <CloseButton size="sm" aria-label="Dismiss" onClick={onDismiss} />}
      </Group>
    </Alert>
  );
}
