/** Copies a text and says so; falls back to a selection where the clipboard is closed (plain http). */
import { Button, type ButtonProps } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import { useEffect, useState } from "react";

interface CopyButtonProps extends ButtonProps {
  text: string;
  label?: string;
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    // Inside an open dialog the focus trap would take the focus back from an element outside it.
    (document.activeElement?.closest('[role="dialog"]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function CopyButton({ text, label = "Copy", ...others }: CopyButtonProps) {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 2000);
    return () => clearTimeout(timer);
  }, [state]);
  return (
    <Button
      variant="default"
      size="xs"
      leftSection={state === "copied" ? <IconCheck size={14} /> : <IconCopy size={14} />}
      onClick={() => void copy(text).then((done) => setState(done ? "copied" : "failed"))}
      {...others}
    >
      <span aria-live="polite">{{ idle: label, copied: "Copied", failed: "Select and copy by hand" }[state]}</span>
    </Button>
  );
}
