/** A new password for oneself; it ends one's other sessions. */
import { Group, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";

import { asApiError } from "@/api/request";
import { PASSWORD_RULE, passwordProblem } from "@/features/session/newPassword";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { FORM_WIDTH } from "@/ui/SaveForm";

import { useChangePassword } from "./queries";

const toggle = { "aria-label": "Show or hide what is typed", tabIndex: 0 };

export function PasswordForm() {
  const change = useChangePassword();
  const form = useForm({
    initialValues: { current_password: "", password: "" },
    validate: {
      current_password: (value) => (value ? null : "The password you have now"),
      password: passwordProblem,
    },
  });
  const submit = form.onSubmit((values) => {
    if (change.isPending) return;
    change.mutate(values, {
      onSuccess: () => {
        form.reset();
        notifications.show({ message: "Your password is changed; your other sessions have ended.", color: "green" });
      },
      onError: (error) => {
        const { param, message } = asApiError(error);
        if (param && param in form.values) form.setFieldError(param, message);
      },
    });
  });
  const failure = change.isError ? asApiError(change.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md" maw={FORM_WIDTH}>
        <PasswordInput
          label="Current password"
          autoComplete="current-password"
          visibilityToggleButtonProps={toggle}
          {...form.getInputProps("current_password")}
        />
        <PasswordInput
          label="New password"
          description={PASSWORD_RULE}
          autoComplete="new-password"
          visibilityToggleButtonProps={toggle}
          {...form.getInputProps("password")}
        />
        {failure && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={failure} title="Nothing was changed" />
        )}
        <Group>
          <BusyButton type="submit" busy={change.isPending}>
            Change Password
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}
