/** Email and password, then back to the page that was wanted. */
import { Alert, Button, Divider, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { EntryPage } from "./EntryPage";
import { beginSso, sessionQuery, setupQuery, signIn, singleSignOnQuery } from "./queries";

export function LoginPage() {
  const router = useRouter();
  const queryClient = useQueryClient();
  const { redirect } = useSearch({ from: "/login" });
  const setup = useQuery(setupQuery);
  const singleSignOn = useQuery(singleSignOnQuery);
  const leave = useMutation({
    mutationKey: ["session", "sso"],
    mutationFn: beginSso,
    onSuccess: (url) => window.location.assign(url),
  });
  const form = useForm({ initialValues: { email: "", password: "", code: "" } });
  const [asksCode, setAsksCode] = useState(false);
  const login = useMutation({
    mutationKey: ["session", "login"],
    mutationFn: (values: typeof form.values) => signIn(values.email.trim(), values.password, values.code.trim()),
    onSuccess: (user) => {
      queryClient.clear(); // Nothing that another user saw may stay on screen.
      queryClient.setQueryData(sessionQuery.queryKey, user);
      router.history.push(redirect ?? "/");
    },
    onError: (error) => {
      const { param, message } = asApiError(error);
      if (param !== "code") return;
      setAsksCode(true);
      form.setFieldError("code", asksCode ? message : null);
    },
  });

  return (
    <EntryPage title="Sign in to Ops-Center" subtitle="The gateway in front of every LLM provider">
      <form onSubmit={form.onSubmit((values) => login.mutate(values))}>
        <Stack>
          {setup.data?.needed && (
            <Alert color="brand" role="note" title="No administrator yet">
              Open the one-time set-up link that the server printed in its log when it started.
            </Alert>
          )}
          <TextInput
            label="Email"
            type="email"
            name="email"
            autoComplete="username"
            required
            withAsterisk={false}
            data-autofocus
            autoFocus
            {...form.getInputProps("email")}
          />
          <PasswordInput
            label="Password"
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ "aria-label": "Show or hide what is typed", tabIndex: 0 }}
            {...form.getInputProps("password")}
          />
          {asksCode && (
            <TextInput
              label="Code"
              name="code"
              description="The six digits of your authenticator app, or a recovery code."
              autoComplete="one-time-code"
              autoFocus
              required
              withAsterisk={false}
              {...form.getInputProps("code")}
            />
          )}
          {login.isError && asApiError(login.error).param !== "code" && <ProblemAlert error={asApiError(login.error)} />}
          <Button type="submit" loading={login.isPending} fullWidth>
            Sign in
          </Button>
          {singleSignOn.data?.enabled && (
            <>
              <Divider label="or" />
              {leave.isError && <ProblemAlert error={asApiError(leave.error)} />}
              <Button variant="default" fullWidth loading={leave.isPending} onClick={() => leave.mutate()}>
                Continue with {singleSignOn.data.label}
              </Button>
            </>
          )}
        </Stack>
      </form>
    </EntryPage>
  );
}
