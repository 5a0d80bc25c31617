import { useEffect, useState } from "preact/hooks";

const storageKey = "recollect-theme";
export type Theme = "auto" | "light" | "dark";

/** Light or dark, or as the system has it. Only this choice is kept beyond the tab. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => (localStorage.getItem(storageKey) as Theme | null) ?? "auto");
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    localStorage.setItem(storageKey, theme);
  }, [theme]);
  return [theme, setTheme];
}
