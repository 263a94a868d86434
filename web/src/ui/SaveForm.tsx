/** A form that saves: what was refused stands beside its field, or above the button where it has none. */
import { Group } from "@mantine/core";
import type { UseFormReturnType } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import type { UseMutationResult } from "@tanstack/react-query";

import { asApiError, type ApiError } from "@/api/request";

import { BusyButton } from "./BusyButton";
import { ProblemAlert } from "./ProblemAlert";

/** Fields of a page are as wide as each other, whatever card they are on. */
export const FORM_WIDTH = 560;

export interface Saving<Input> {
  save: (input: Input, then?: { onSaved?: () => void; onSettled?: () => void }) => void;
  isPending: boolean;
  /** What was refused and belongs to no field. */
  problem: ApiError | null;
}

export function useSaving<Values extends Record<string, unknown>, Input>(
  form: UseFormReturnType<Values>,
  change: UseMutationResult<unknown, Error, Input>,
): Saving<Input> {
  return {
    isPending: change.isPending,
    problem: change.isError && Object.keys(form.errors).length === 0 ? asApiError(change.error) : null,
    save: (input, { onSaved, onSettled } = {}) => {
      if (change.isPending) return;
      change.mutate(input, {
        onSuccess: () => {
          notifications.show({ message: "Saved.", color: "green" });
          onSaved?.();
        },
        onError: (error) => {
          const { param, message } = asApiError(error);
          const field = param?.split(".").at(-1) ?? "";
          if (field in form.values) form.setFieldError(field, message);
        },
        onSettled,
      });
    },
  };
}

/** Last in such a form. */
export function SaveButton<Input>({ saving, children }: { saving: Saving<Input>; children: string }) {
  return (
    <>
      {saving.problem && <ProblemAlert error={saving.problem} title="Nothing was saved" />}
      <Group>
        <BusyButton type="submit" busy={saving.isPending}>
          {children}
        </BusyButton>
      </Group>
    </>
  );
}
