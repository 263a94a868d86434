(function () {
  try {
    var chosen = localStorage.getItem("ops-center-color-scheme");
    var dark =
      chosen === "dark" ||
      (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
  } catch {
    // No storage: the console follows the system once it runs.
  }
})();
