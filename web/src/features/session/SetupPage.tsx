/** The first administrator, made with the one-time token of the set-up link. */
import { Alert, Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useRouter, useSearch } from "@tanstack/react-router";

import { asApiError } from "@/api/request";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { EntryPage } from "./EntryPage";
import { PASSWORD_RULE, passwordProblem } from "./newPassword";
import { sessionQuery, setUp, setupQuery } from "./queries";

export function SetupPage() {
  const router = useRouter();
  const queryClient = useQueryClient();
  const { token } = useSearch({ from: "/setup" });
  const setup = useQuery(setupQuery);
  const form = useForm({
    initialValues: { token: token ?? "", email: "", password: "" },
    validate: {
      password: passwordProblem,
    },
  });
  const create = useMutation({
    mutationKey: ["session", "setup"],
    mutationFn: (values: typeof form.values) =>
      setUp(values.token.trim(), values.email.trim(), values.password),
    onSuccess: (user) => {
      queryClient.clear();
      queryClient.setQueryData(sessionQuery.queryKey, user);
      router.history.push("/");
    },
    onError: (error) => {
      const { param, message } = asApiError(error);
      if (param && param in form.values) form.setFieldError(param, message);
    },
  });

  if (setup.data?.needed === false) {
    return (
      <EntryPage title="Set up Ops-Center" subtitle="This has been done already">
        <Text size="sm">
          An administrator exists. <Anchor component={Link} to="/login">Sign in</Anchor> instead.
        </Text>
      </EntryPage>
    );
  }

  const failure = create.isError ? asApiError(create.error) : null;
  return (
    <EntryPage title="Set up Ops-Center" subtitle="Create the first administrator">
      <form onSubmit={form.onSubmit((values) => create.mutate(values))}>
        <Stack>
          {token ? null : (
            <>
              <Alert color="yellow" role="note">
                Open the link from the server's log; it carries the one-time token. You can also paste the token here.
              </Alert>
              <TextInput
                label="Set-up token"
                name="token"
                autoComplete="off"
                required
                withAsterisk={false}
                autoFocus
                {...form.getInputProps("token")}
              />
            </>
          )}
          <TextInput
            label="Email"
            type="email"
            name="email"
            autoComplete="username"
            required
            withAsterisk={false}
            autoFocus={Boolean(token)}
            {...form.getInputProps("email")}
          />
          <PasswordInput
            label="Password"
            name="password"
            description={PASSWORD_RULE}
            autoComplete="new-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ "aria-label": "Show or hide what is typed", tabIndex: 0 }}
            {...form.getInputProps("password")}
          />
          {failure && !form.errors[failure.param ?? ""] && <ProblemAlert error={failure} />}
          <Button type="submit" loading={create.isPending} fullWidth>
            Create Administrator
          </Button>
        </Stack>
      </form>
    </EntryPage>
  );
}
