/** Opens "Try routing"; the drawer is loaded when it is first asked for. */
import { loadChunk } from "@/app/loadChunk";
import { Button } from "@mantine/core";
import { IconRoute } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";

const TryRoutingDrawer = lazy(() =>
  loadChunk(() => import("./TryRoutingDrawer")).then((module) => ({ default: module.TryRoutingDrawer })),
);

export function TryRoutingButton({ size = "sm" }: { size?: "xs" | "sm" }) {
  const [asked, setAsked] = useState(false);
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button
        variant="default"
        size={size}
        leftSection={<IconRoute size={size === "xs" ? 14 : 16} />}
        onClick={() => {
          setAsked(true);
          setOpened(true);
        }}
      >
        Try Routing
      </Button>
      {asked && (
        <Suspense>
          <TryRoutingDrawer opened={opened} onClose={() => setOpened(false)} />
        </Suspense>
      )}
    </>
  );
}
