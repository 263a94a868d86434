/** `/` focuses the page's search field, `?` shows the keys; never while somebody types. */
import { useEffect } from "react";

import { openKeyboardHelp } from "./events";

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

export function useSlashFocusesSearch(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('[role="dialog"]')) return;
      if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("#content input[type=search]");
        if (!field) return;
        event.preventDefault();
        field.focus();
      } else if (event.key === "?") {
        openKeyboardHelp();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
