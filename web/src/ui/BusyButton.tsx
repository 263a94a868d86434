/** A button that shows its work and ignores further clicks, yet keeps the focus (a disabled one would lose it). */
import { Button, Loader, type ButtonProps } from "@mantine/core";
import type { ComponentPropsWithoutRef, MouseEvent, Ref } from "react";

interface BusyButtonProps
  extends ButtonProps,
    Omit<ComponentPropsWithoutRef<"button">, keyof ButtonProps> {
  busy: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function BusyButton({ busy, onClick, leftSection, ...others }: BusyButtonProps) {
  return (
    <Button
      {...others}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      leftSection={busy ? <Loader size={14} color="currentColor" aria-hidden /> : leftSection}
      onClick={(event: MouseEvent<HTMLButtonElement>) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}
