/** The first request, ready to copy. */
import { Box, Tabs } from "@mantine/core";

import { CopyButton } from "@/ui/CopyButton";

import { snippets } from "./snippets";
import classes from "./Snippets.module.css";

/** What stands in a snippet while no key was made on this page. */
export const KEY_PLACEHOLDER = "sk-oc-YOUR-KEY";

export function Snippets({ secret = KEY_PLACEHOLDER }: { secret?: string }) {
  const all = snippets(window.location.origin, secret);
  return (
    <Tabs defaultValue={all[0]!.value} keepMounted={false}>
      <Tabs.List className={classes.tabs}>
        {all.map((snippet) => (
          <Tabs.Tab key={snippet.value} value={snippet.value}>
            {snippet.label}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {all.map((snippet) => (
        <Tabs.Panel key={snippet.value} value={snippet.value} pt="xs">
          <Box pos="relative">
            <pre className={classes.code} tabIndex={0} aria-label={`${snippet.label} example`} role="region">
              {snippet.code}
            </pre>
            <CopyButton text={snippet.code} className={classes.copy} />
          </Box>
        </Tabs.Panel>
      ))}
    </Tabs>
  );
}
