/** Add a user, or change one: name, role, power level, password, disabled or not. */
import { Button, Group, Modal, PasswordInput, Select, Stack, Switch, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";

import { asApiError } from "@/api/request";
import type { ByokPolicy, PowerLevel, Role, User, UserChange } from "@/api/types";
import { POLICIES } from "@/features/provider_keys/policies";
import { passwordProblem } from "@/features/session/newPassword";
import { useUser } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { useAddUser, useChangeUser } from "./queries";
import { POWER_LEVELS, ROLES } from "./roles";

interface UserDialogProps {
  editing: User | "new" | null;
  onClose: () => void;
}

const AS_ROUTED = "none";

export function UserDialog({ editing, onClose }: UserDialogProps) {
  return (
    <Modal
      opened={editing !== null}
      onClose={onClose}
      title={editing === "new" ? "Add User" : editing && `Edit ${editing.email}`}
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {editing && <UserForm user={editing === "new" ? null : editing} onClose={onClose} />}
    </Modal>
  );
}

function UserForm({ user, onClose }: { user: User | null; onClose: () => void }) {
  const me = useUser();
  const add = useAddUser();
  const change = useChangeUser(user?.id ?? "");
  const saving = user ? change : add;
  const form = useForm({
    initialValues: {
      email: user?.email ?? "",
      name: user?.name ?? "",
      role: user?.role ?? ("user" as Role),
      power_level: (user?.power_level ?? AS_ROUTED) as PowerLevel | typeof AS_ROUTED,
      power_level_max: (user?.power_level_max ?? AS_ROUTED) as PowerLevel | typeof AS_ROUTED,
      byok_policy: (user?.byok_policy ?? AS_ROUTED) as ByokPolicy | typeof AS_ROUTED,
      password: "",
      disabled: user?.disabled ?? false,
    },
    validate: {
      email: (value) => (user || /^\S+@\S+$/.test(value.trim()) ? null : "An email address"),
      password: (value) => (value ? passwordProblem(value) : null),
    },
  });
  const onError = (error: Error): void => {
    const { param, message } = asApiError(error);
    if (param && param in form.values) form.setFieldError(param, message);
  };
  const submit = form.onSubmit((values) => {
    if (saving.isPending) return;
    const name = values.name.trim();
    if (!user) {
      add.mutate(
        {
          email: values.email.trim(),
          role: values.role,
          ...(name && { name }),
          ...(values.password && { password: values.password }),
        },
        { onSuccess: onClose, onError },
      );
      return;
    }
    const level = values.power_level === AS_ROUTED ? null : values.power_level;
    const highest = values.power_level_max === AS_ROUTED ? null : values.power_level_max;
    const policy = values.byok_policy === AS_ROUTED ? null : values.byok_policy;
    const body: UserChange = {
      ...(name !== user.name && { name }),
      ...(values.role !== user.role && { role: values.role }),
      ...(level !== user.power_level && { power_level: level }),
      ...(highest !== user.power_level_max && { power_level_max: highest }),
      ...(policy !== user.byok_policy && { byok_policy: policy }),
      ...(values.disabled !== user.disabled && { disabled: values.disabled }),
      ...(values.password && { password: values.password }),
    };
    if (Object.keys(body).length === 0) onClose();
    else change.mutate(body, { onSuccess: onClose, onError });
  });
  const failure = saving.isError ? asApiError(saving.error) : null;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {!user && (
          <TextInput label="Email" type="email" autoComplete="off" data-autofocus {...form.getInputProps("email")} />
        )}
        <TextInput label="Name" autoComplete="off" {...form.getInputProps("name")} />
        <Select
          label="Role"
          allowDeselect={false}
          data={ROLES.map(({ value, label }) => ({ value, label }))}
          description={ROLES.find((role) => role.value === form.values.role)?.meaning}
          inputWrapperOrder={["label", "input", "description", "error"]}
          {...form.getInputProps("role")}
        />
        {user && (
          <Select
            label="Power level"
            allowDeselect={false}
            data={[{ value: AS_ROUTED, label: "As the routing strategy says" }, ...POWER_LEVELS]}
            {...form.getInputProps("power_level")}
          />
        )}
        {user && (
          <Select
            label="Highest power level"
            description="How high the user may choose for themselves, a key or a request."
            inputWrapperOrder={["label", "input", "description", "error"]}
            allowDeselect={false}
            data={[{ value: AS_ROUTED, label: "As the settings say" }, ...POWER_LEVELS]}
            {...form.getInputProps("power_level_max")}
          />
        )}
        {user && (
          <Select
            label="Policy over own keys"
            description="Can only tighten the policy of the installation."
            inputWrapperOrder={["label", "input", "description", "error"]}
            allowDeselect={false}
            data={[
              { value: AS_ROUTED, label: "As the installation's" },
              ...POLICIES.map(({ value, label }) => ({ value, label })),
            ]}
            {...form.getInputProps("byok_policy")}
          />
        )}
        <PasswordInput
          label={user ? "New password" : "Password"}
          description={
            user ? "Leave blank to keep the old one." : "Without one they cannot sign in until you set it."
          }
          autoComplete="new-password"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide what is typed", tabIndex: 0 }}
          {...form.getInputProps("password")}
        />
        {user && user.id !== me.id && (
          <Switch
            label="Disabled"
            description="Ends their sessions and API keys at once."
            {...form.getInputProps("disabled", { type: "checkbox" })}
          />
        )}
        {failure && Object.keys(form.errors).length === 0 && (
          <ProblemAlert error={failure} title="Nothing was saved" />
        )}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={saving.isPending}>
            {user ? "Save Changes" : "Add User"}
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}
