// Light, dark, or as the system says.
export type Theme = "auto" | "light" | "dark";
const NAME = "quire-theme";

export function currentTheme(): Theme {
  const saved = localStorage.getItem(NAME);
  return saved === "light" || saved === "dark" ? saved : "auto";
}
export function applyTheme(theme: Theme = currentTheme()): void {
  localStorage.setItem(NAME, theme);
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}
