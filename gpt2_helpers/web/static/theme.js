// Dark mode: as the system has it, until the reader chooses.

import * as storage from "./storage.js";

const root = document.documentElement;
const isTheme = (value) => ["dark", "light"].includes(value);
const stored = storage.read("localStorage", "theme", isTheme);
if (stored) root.dataset.theme = stored;

document.getElementById("theme")?.addEventListener("click", () => {
  const isDark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  storage.write("localStorage", "theme", root.dataset.theme);
});
