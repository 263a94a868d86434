/** The frame of every signed-in page: side bar, top bar, the page, the command palette. */
import { loadChunk } from "@/app/loadChunk";
import { AppShell } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Outlet, useLocation } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef } from "react";

import { palette } from "./events";
import { KeyboardHelp } from "./KeyboardHelp";
import classes from "./Shell.module.css";
import { SideBar } from "./SideBar";
import { TopBar } from "./TopBar";
import { useSlashFocusesSearch } from "./useSlashFocusesSearch";

const Commands = lazy(() => loadChunk(() => import("./Commands")).then((module) => ({ default: module.Commands })));

export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const main = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  const previous = useRef(pathname);
  useSlashFocusesSearch();
  useHotkeys([["mod + K", palette.toggle]], []);

  // A new page starts where its content starts, for keyboards and screen readers too.
  useEffect(() => {
    if (previous.current === pathname) return;
    previous.current = pathname;
    close();
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [pathname, close]);

  return (
    <AppShell
      layout="alt"
      header={{ height: 52 }}
      navbar={{ width: 228, breakpoint: "md", collapsed: { mobile: !opened } }}
      padding={{ base: "md", sm: "xl" }}
      transitionDuration={0}
    >
      <a className="oc-skip-link" href="#content">
        Skip to content
      </a>
      <AppShell.Header className={classes.header}>
        <TopBar menuOpened={opened} onToggleMenu={toggle} />
      </AppShell.Header>
      <AppShell.Navbar aria-label="Main" className={classes.navbar} data-closed={!opened || undefined}>
        <SideBar onClose={close} />
      </AppShell.Navbar>
      <AppShell.Main className={classes.main}>
        <section id="content" ref={main} tabIndex={-1} className={classes.content}>
          <Outlet />
        </section>
      </AppShell.Main>
      <Suspense>
        <Commands />
      </Suspense>
      <KeyboardHelp />
    </AppShell>
  );
}
