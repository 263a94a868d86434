const RETRY_MS = 2_000;
const RELOADED_AT = "ops-center-reloaded-at";

/**
 * Loads a part of the console that is fetched when first needed. While the server is away it waits and
 * tries again; when the server is there and the part is not, this tab has outlived an upgrade and is
 * loaded anew, once a minute at most.
 */
export async function loadChunk<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch {
    await serverAnswers();
  }
  try {
    return await load();
  } catch (error) {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED_AT) ?? 0) > 60_000) {
      sessionStorage.setItem(RELOADED_AT, String(Date.now()));
      window.location.reload();
    }
    throw error;
  }
}

async function serverAnswers(): Promise<void> {
  for (;;) {
    try {
      if ((await fetch("/healthz")).ok) return;
    } catch {
      // still away
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
